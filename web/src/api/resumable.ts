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
  const subscription = new Resumable(client, stream, sink, again);
  subscription.start();
  return () => subscription.stop();
}

class Resumable<Item extends Step> {
  /** graphql-ws sends this very object again after a reconnect, so moving `after` is all it takes to resume. */
  private readonly variables: { jobId: string; after: string | null };
  private stopped = false;
  private ended = false;
  private repairs = 0;
  private cancel = (): void => {};

  constructor(
    private readonly client: Pick<Client, 'subscribe'>,
    private readonly stream: Stream<Item>,
    private readonly sink: Sink<Item>,
    private readonly again: Again,
  ) {
    this.variables = { jobId: stream.jobId, after: stream.after };
  }

  start(): void {
    if (this.stopped) return;
    let current = true;
    const leave = (): void => {
      current = false;
      unsubscribe();
    };
    const unsubscribe = this.client.subscribe<unknown>(
      { query: this.stream.operation.toString(), variables: this.variables },
      {
        next: ({ data, errors }) => void (current && this.take(data, errors ?? [], leave)),
        error: (problem) => void (current && this.broken(problem)),
        complete: () => void (current && this.complete()),
      },
    );
    this.cancel = leave;
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private startLater(milliseconds: number): void {
    this.again(() => this.start(), milliseconds);
  }

  private take(data: unknown, errors: readonly Refusal[], leave: () => void): void {
    if (errors.length > 0 || !data) {
      leave();
      this.refused(errors);
    } else if (!this.pass(this.stream.read(data as never))) {
      this.repairs += 1;
      this.sink.gap?.();
      leave();
      this.startLater(this.repairs > 1 ? PAUSE_MS : 0);
    }
  }

  /** Hands an item on; false if it does not follow the last one, and may when the stream is asked for again. */
  private pass(item: Item): boolean {
    const { after } = this.variables;
    const strayed = item.after !== undefined && after !== null && item.after !== after;
    if (strayed && this.repairs < MOST_REPAIRS) return false;
    if (strayed) this.sink.lost?.();
    this.repairs = 0;
    this.variables.after = item.cursor;
    this.ended = item.end;
    this.sink.next(item);
    return true;
  }

  private refused(errors: readonly Refusal[]): void {
    if (errors.some((error) => PASSING.has(String(error.extensions?.['code'])))) this.startLater(PAUSE_MS);
    else this.sink.failed(errors.map((error) => error.message).join('; '));
  }

  /** The server found the operation wrong; anything else is a connection, which may come back. */
  private broken(problem: unknown): void {
    if (Array.isArray(problem)) this.refused(problem as Refusal[]);
    else this.startLater(PAUSE_MS);
  }

  private complete(): void {
    if (this.stopped) return;
    if (this.ended) this.sink.done();
    else this.startLater(PAUSE_MS);
  }
}
