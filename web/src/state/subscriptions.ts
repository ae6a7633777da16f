import { useEffect, useRef, useState } from 'preact/hooks';
import type { Link } from '../api/socket';
import type { TypedDocumentString } from '../generated/operations';
import { usePlaycast } from './context';

const PAUSE_MS = 1_000;

/** What a subscription without cursor sends, for as long as the view is there and it is wanted. */
export function useSubscription<Result, Variables>(
  operation: TypedDocumentString<Result, Variables>,
  variables: Variables,
  next: (data: Result) => void,
  wanted = true,
): void {
  const { socket } = usePlaycast();
  const latest = useRef(next);
  latest.current = next;
  const key = JSON.stringify(variables);

  useEffect(() => {
    if (!wanted) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stop = (): void => {};
    let over = false;
    const again = (): void => {
      if (!over) timer = setTimeout(start, PAUSE_MS);
    };
    const start = (): void => {
      stop = socket.client.subscribe<Result>(
        { query: operation.toString(), variables: variables as Record<string, unknown> },
        { next: ({ data }) => data && !over && latest.current(data), error: again, complete: again },
      );
    };
    start();
    return () => {
      over = true;
      clearTimeout(timer);
      stop();
    };
  }, [key, wanted]);
}

/** How the socket does, and how often it came up. */
export function useLink(): { link: Link; ups: number } {
  const { socket } = usePlaycast();
  const [state, setState] = useState({ link: socket.link, ups: socket.ups });
  useEffect(() => socket.listen(() => setState({ link: socket.link, ups: socket.ups })), [socket]);
  return state;
}

/** Do something each time that the socket has come up again: what changed between is not told again. */
export function useReconnect(action: () => void): void {
  const { ups } = useLink();
  const seen = useRef(ups);
  useEffect(() => {
    if (ups > 1 && ups !== seen.current) action();
    seen.current = ups;
  }, [ups]);
}
