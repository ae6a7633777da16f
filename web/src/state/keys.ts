import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { JobLog } from './job-log';

type Press = (log: JobLog) => void;

const ANYWHERE: Record<string, Press> = {
  j: (log) => log.walk(1),
  k: (log) => log.walk(-1),
  Escape: (log) => log.close(),
  n: (log) => log.find(1),
  N: (log) => log.find(-1),
  e: (log) => log.fail(1),
  E: (log) => log.fail(-1),
  g: (log) => log.view?.move(-Infinity),
  G: (log) => log.view?.toEnd(),
  f: (log) => log.view?.toEnd(),
};

// The browser would scroll by pixels, which skips rows where they outnumber these.
const IN_THE_LOG: Record<string, Press> = {
  Enter: (log) => {
    if (log.line !== null) log.open(log.line);
  },
  ArrowUp: (log) => log.view?.move(-1),
  ArrowDown: (log) => log.view?.move(1),
  PageUp: (log) => log.view?.move(1 - log.view.visible),
  PageDown: (log) => log.view?.move(log.view.visible - 1),
  ' ': (log) => log.view?.move(log.view.visible - 1),
  Home: (log) => log.view?.move(-Infinity),
  End: (log) => log.view?.toEnd(),
};

/** The keys of a log. They rest while somebody types. */
export function useKeys(log: JobLog, search: RefObject<HTMLInputElement | null>): void {
  const latest = useRef(log);
  latest.current = log;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select') !== null) return;
      // What is asked comes first, and Escape ends it.
      if (document.querySelector('dialog[open]') !== null) return;
      if (event.key === '/') search.current?.focus();
      else {
        const press = ANYWHERE[event.key] ?? (target.closest('.log') === null ? undefined : IN_THE_LOG[event.key]);
        if (press === undefined) return;
        press(latest.current);
      }
      event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}
