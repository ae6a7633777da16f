import type { Client } from 'graphql-ws';
import type { TypedDocumentString } from '../generated/operations';

/** What a stream with cursors sends. Not every one says which cursor an item follows. */
export interface Step {
  cursor: string;
  after?: string;
  end: boolean;
}

export interface Stream<Item extends Step> {
  operation: TypedDocumentString<unknown, { jobId: string; after?: string | null | undefined }>;
  jobId: string;
  /** Where to begin; null is the beginning. */
  after: string | null;
  /** The item in the data of one message. */
  read: (data: never) => Item;
}

export interface Sink<Item> {
  next: (item: Item) => void;
  /** An item did not follow the last one, so the stream is asked for again from there. */
  gap?: () => void;
  /** It did not come however often it was asked for, so it is gone. */
  lost?: () => void;
  /** The stream cannot go on by itself. */
  failed: (reason: string) => void;
  done: () => void;
}

type Again = (action: () => void, milliseconds: number) => void;
interface Refusal {
  message: string;
  extensions?: Record<string, unknown> | undefined;
}

/** Codes of errors that pass by themselves. */
const PASSING = new Set(['UNAVAILABLE', 'INTERNAL']);
const PAUSE_MS = 1_000;
const MOST_REPAIRS = 3;

/** Every item after a cursor, once and in order, across lost connections and servers that restart; the answer stops it. */
export function resumable<Item extends Step>(
  client: Pick<Client, 'subscribe'>,
  stream: Stream<Item>,
  sink: Sink<Item>,
  again: Again = (action, milliseconds) => void setTimeout(action, milliseconds),
): () => void {
  // graphql-ws sends this very object again after a reconnect, so moving `after` is all it takes to resume.
  const variables = { jobId: stream.jobId, after: stream.after };
  let stopped = false;
  let ended = false;
  let repairs = 0;
  let cancel = () => {};

  const take = (item: Item): boolean => {
    const strayed = item.after !== undefined && variables.after !== null && item.after !== variables.after;
    if (strayed && repairs < MOST_REPAIRS) return false;
    if (strayed) sink.lost?.();
    repairs = 0;
    variables.after = item.cursor;
    ended = item.end;
    sink.next(item);
    return true;
  };
  const refused = (errors: readonly Refusal[]): void => {
    if (errors.some((error) => PASSING.has(String(error.extensions?.['code'])))) again(start, PAUSE_MS);
    else sink.failed(errors.map((error) => error.message).join('; '));
  };
  const start = (): void => {
    if (stopped) return;
    let current = true;
    const leave = (): void => {
      current = false;
      unsubscribe();
    };
    const unsubscribe = client.subscribe<unknown>(
      { query: stream.operation.toString(), variables },
      {
        next: ({ data, errors }) => {
          if (!current) return;
          if (errors?.length || !data) {
            leave();
            refused(errors ?? []);
          } else if (!take(stream.read(data as never))) {
            repairs += 1;
            sink.gap?.();
            leave();
            again(start, repairs > 1 ? PAUSE_MS : 0);
          }
        },
        error: (problem) => {
          if (!current) return;
          // The server found the operation wrong; anything else is a connection, which may come back.
          if (Array.isArray(problem)) refused(problem as Refusal[]);
          else again(start, PAUSE_MS);
        },
        complete: () => {
          if (!current || stopped) return;
          if (ended) sink.done();
          else again(start, PAUSE_MS);
        },
      },
    );
    cancel = leave;
  };
  start();
  return () => {
    stopped = true;
    cancel();
  };
}
