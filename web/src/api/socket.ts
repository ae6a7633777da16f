import { createClient, type Client } from 'graphql-ws/client';
import { address } from './ask';

/** How the socket does. It says nothing about any job. */
export type Link = 'idle' | 'connecting' | 'up' | 'lost' | 'refused';

const PING_MS = 10_000;
const PONG_MS = 5_000;
const LONGEST_WAIT_MS = 5_000;
const WRONG_TOKEN = 4403;
const NORMAL = 1000;

/** The one socket of the page, opened when something subscribes and closed when nothing does. */
export class Socket {
  readonly client: Client;
  link: Link = 'idle';
  /** How often it came up. More than once: it was lost between. */
  ups = 0;
  private readonly listeners = new Set<() => void>();
  private pong: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.client = createClient({
      url: address('graphql').replace(/^http/, 'ws'),
      keepAlive: PING_MS,
      lazyCloseTimeout: 2_000,
      retryAttempts: Infinity,
      shouldRetry: (problem) => !isRefusal(problem),
      retryWait: (tries) => wait(Math.min(LONGEST_WAIT_MS, 200 * 2 ** tries) * (0.75 + Math.random() / 2)),
      on: {
        connecting: (again) => this.set(again ? 'lost' : 'connecting'),
        connected: () => {
          this.ups += 1;
          this.set('up');
        },
        closed: (event) => {
          clearTimeout(this.pong);
          this.set(isRefusal(event) ? 'refused' : (event as CloseEvent).code === NORMAL ? 'idle' : 'lost');
        },
        // A peer that is gone without a word is noticed by the answer that does not come.
        ping: (received) => {
          if (!received) this.pong = setTimeout(() => this.client.terminate(), PONG_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(this.pong);
        },
      },
    });
  }

  /** Call `listener` whenever `link` or `ups` changes; the answer ends that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private set(link: Link): void {
    this.link = link;
    for (const listener of this.listeners) listener();
  }
}

/** Whether the server closed the socket because the token is wrong or missing. */
export function isRefusal(problem: unknown): boolean {
  return typeof problem === 'object' && problem !== null && 'code' in problem && problem.code === WRONG_TOKEN;
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
