import type { TypedDocumentString } from '../generated/operations';
import { learnClock } from './clock';

/** The server wants a token, and the browser has shown none that is right. */
export class SignInNeeded extends Error {}

/** The server did not take a request, or could not be reached. */
export class Trouble extends Error {}

interface Answer<Result> {
  data?: Result | null;
  errors?: { message: string }[];
  error?: string;
}

/** An address of the server, wherever it is mounted. */
export function address(path: string): string {
  return new URL(path, document.baseURI).href.replace(/#.*/, '');
}

/** The data of one query or mutation. Raises SignInNeeded or Trouble. */
export async function ask<Result, Variables>(
  operation: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  const answer = await post<Answer<Result>>('graphql', { query: operation.toString(), variables });
  if (answer.errors?.length) throw new Trouble(answer.errors.map((error) => error.message).join('; '));
  if (!answer.data) throw new Trouble(answer.error ?? 'empty answer');
  return answer.data;
}

async function post<Body>(path: string, body: unknown): Promise<Body> {
  const asked = Date.now();
  let response: Response;
  try {
    response = await fetch(address(path), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  } catch (error) {
    throw new Trouble(String(error));
  }
  learnClock(response.headers.get('Date'), asked);
  if (response.status === 401) throw new SignInNeeded();
  if (response.status === 204) return null as Body;
  try {
    return (await response.json()) as Body;
  } catch {
    throw new Trouble(`HTTP ${response.status}`);
  }
}

/** Show the token once; the server answers with a cookie that scripts cannot read. Whether it was right. */
export async function signIn(token: string): Promise<boolean> {
  try {
    const refusal = await post<{ error: string } | null>('session', { token });
    if (refusal !== null) throw new Trouble(refusal.error);
    return true;
  } catch (error) {
    if (error instanceof SignInNeeded) return false;
    throw error;
  }
}

/** Give the cookie back. */
export async function signOut(): Promise<void> {
  await fetch(address('session'), { method: 'DELETE' });
}
