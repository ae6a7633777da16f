import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask, SignInNeeded } from '../api/ask';
import type { TypedDocumentString } from '../generated/operations';
import { usePlaycast } from './context';

export interface QueryResult<Result> {
  data: Result | null;
  trouble: string | null;
  again: () => void;
}

/** What `read` gives, read anew when `key` changes or `again` is called. */
export function useRequest<Result>(key: string, read: () => Promise<Result>): QueryResult<Result> {
  const { lock } = usePlaycast();
  const [data, setData] = useState<Result | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  const latest = useRef(0);

  useEffect(() => {
    const mine = (latest.current += 1);
    read().then(
      (answer) => {
        if (mine !== latest.current) return;
        setData(answer);
        setTrouble(null);
      },
      (error: unknown) => {
        if (mine !== latest.current) return;
        if (error instanceof SignInNeeded) lock();
        else setTrouble(error instanceof Error ? error.message : String(error));
      },
    );
  }, [key, turn]);
  useEffect(() => () => void (latest.current += 1), []);

  return { data, trouble, again: useCallback(() => setTurn((before) => before + 1), []) };
}

/** The answer to a query, asked anew when its variables change or `again` is called. */
export function useQuery<Result, Variables>(
  operation: TypedDocumentString<Result, Variables>,
  variables: Variables,
): QueryResult<Result> {
  return useRequest(JSON.stringify(variables), () => ask(operation, variables));
}

export interface Mutation<Variables, Result> {
  busy: boolean;
  /** Why it did not work. */
  refusals: readonly string[];
  go: (variables: Variables) => Promise<Result | null>;
}

interface Refused {
  userErrors: readonly { message: string; field: readonly string[] | null }[];
}

/**
 * A mutation with its payload, its refusals as sentences, and whether it is under way. Once it has worked it stays busy:
 * what comes of it takes the place of the view, and until then a second click would do it twice.
 */
export function useMutation<Result extends object, Variables>(
  operation: TypedDocumentString<Result, Variables>,
): Mutation<Variables, Result> {
  const { lock } = usePlaycast();
  const [busy, setBusy] = useState(false);
  const [refusals, setRefusals] = useState<readonly string[]>([]);
  // The state follows with the next drawing, and two clicks may come before.
  const underWay = useRef(false);
  const mark = (now: boolean): void => setBusy((underWay.current = now));
  const go = async (variables: Variables): Promise<Result | null> => {
    if (underWay.current) return null;
    mark(true);
    setRefusals([]);
    try {
      const answer = await ask(operation, variables);
      const { userErrors } = Object.values(answer)[0] as Refused;
      if (userErrors.length === 0) return answer;
      setRefusals(userErrors.map(({ field, message }) => (field ? `${field.join('.')}: ${message}` : message)));
    } catch (error) {
      if (error instanceof SignInNeeded) lock();
      else setRefusals([error instanceof Error ? error.message : String(error)]);
    }
    mark(false);
    return null;
  };
  return { busy, refusals, go };
}
