import type { CreateServerInput, CredentialInput, ServerDetailsFragment } from '../generated/operations';
import { NotJson } from './values';

export type Login = 'keep' | 'password' | 'privateKey' | 'keyFile' | 'local';

/** What the form of a server holds, as it was typed. */
export interface Draft {
  name: string;
  host: string;
  port: string;
  user: string;
  tags: string;
  login: Login;
  secret: string;
  variables: string;
  strictHostKey: boolean;
  forgetHostKey: boolean;
}

/** The form for a server; for a new one it is empty but for what most servers have. */
export function draftOf(server: ServerDetailsFragment | null): Draft {
  const variables = server === null || Object.keys(server.variables as object).length === 0 ? '' : JSON.stringify(server.variables, null, 2);
  return {
    name: server?.name ?? '',
    host: server?.host ?? '',
    port: String(server?.port ?? 22),
    user: server?.user ?? '',
    tags: server?.tags.join(' ') ?? '',
    login: server === null ? 'password' : 'keep',
    secret: '',
    variables,
    strictHostKey: server?.strictHostKey ?? true,
    forgetHostKey: false,
  };
}

/** What the API takes for a draft; no credential means that the stored one stays. Raises NotJson. */
export function inputOf(draft: Draft): Omit<CreateServerInput, 'credential'> & { credential: CredentialInput | null } {
  return {
    name: draft.name.trim(),
    host: draft.host.trim(),
    port: Number(draft.port),
    user: draft.user.trim(),
    tags: draft.tags.split(/[\s,]+/).filter(Boolean),
    credential: credentialOf(draft),
    variables: variablesOf(draft.variables),
    strictHostKey: draft.strictHostKey,
  };
}

function credentialOf({ login, secret }: Draft): CredentialInput | null {
  switch (login) {
    case 'keep':
      return null;
    case 'local':
      return { local: true };
    case 'password':
      return { password: secret };
    case 'privateKey':
      return { privateKey: secret };
    case 'keyFile':
      return { keyFile: secret.trim() };
  }
}

function variablesOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new NotJson('variables');
  }
}
