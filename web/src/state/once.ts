import { useRef } from 'preact/hooks';

/** A key that stays the same while the same thing is tried again, so that the server does it once. */
export function useOnce(): { key: (what: unknown) => string; done: () => void } {
  const last = useRef({ what: '', key: '' });
  return {
    key: (what) => {
      const said = JSON.stringify(what);
      if (last.current.what !== said) last.current = { what: said, key: random() };
      return last.current.key;
    },
    done: () => void (last.current = { what: '', key: '' }),
  };
}

// crypto.randomUUID is there with TLS only.
function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
