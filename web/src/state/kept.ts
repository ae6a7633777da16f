import { useState } from 'preact/hooks';
import { usePlaycast } from './context';

/** A value that outlives its view: it is there again when the reader comes back, until the page is closed or signed out of. */
export function useKept<Value>(name: string, first: Value): [Value, (change: Partial<Value>) => void] {
  const { kept } = usePlaycast();
  const [, draw] = useState({});
  const now = (): Value => (kept.get(name) as Value | undefined) ?? first;
  return [
    now(),
    (change) => {
      kept.set(name, { ...now(), ...change });
      draw({});
    },
  ];
}
