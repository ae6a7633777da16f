import { useRef } from 'preact/hooks';

/** What was tried last, and the key it was tried with. */
export interface Attempt {
  what: string;
  key: string;
}

/** The key for something: the same as before while the same thing is tried again, so that the server does it once. */
export function idempotencyKey(last: Attempt, tried: unknown): Attempt {
  const what = JSON.stringify(tried);
  return last.what === what ? last : { what, key: random() };
}

/** The same for one view. */
export function useIdempotencyKey(): (tried: unknown) => string {
  const last = useRef<Attempt>({ what: '', key: '' });
  return (tried) => (last.current = idempotencyKey(last.current, tried)).key;
}

// crypto.randomUUID is there with TLS only.
function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
