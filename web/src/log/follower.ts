import type { Client } from 'graphql-ws';
import { ask } from '../api/ask';
import { resumable } from '../api/resumable';
import { JobEventsDocument, type JobEventsSubscription, JobLogDocument, type JobLogSubscription, LogPageDocument } from '../generated/operations';
import { plain } from './ansi';
import { Outline } from './outline';
import type { Segment } from './segment';
import { LogStore } from './store';

/** A longer log is shown from near its end first. */
const LONG_BYTES = 64 * 1024 * 1024;
/** The largest page that the server gives. */
const PAGE_BYTES = 1024 * 1024;

export interface Watcher {
  /** Text came at the end. */
  grown: () => void;
  /** Text that was let go came back. */
  filled: () => void;
  /** Tasks, results or failures came. */
  outlined: () => void;
  /** One of the states below changed. */
  changed: () => void;
}

/** Brings the log and the events of one job in, in order and without gaps, and reads again what was let go. */
export class Follower {
  readonly store = new LogStore();
  readonly outline = new Outline();
  gaps = 0;
  lost = false;
  failed: string | null = null;
  private stops: (() => void)[] = [];
  private closed = false;
  private filling = false;
  /** What the last page held beyond the segment that it was asked for. */
  private rest = { after: '', text: '', cursor: '' };

  constructor(
    private readonly client: Pick<Client, 'subscribe'>,
    private readonly jobId: string,
    private readonly watcher: Watcher,
  ) {}

  /** Begin; a long log begins near its end unless all of it is wanted. */
  async start(size: number, all: boolean): Promise<void> {
    this.followEvents();
    if (size > LONG_BYTES && !all) await this.readEnd();
    if (!this.closed) this.followLog();
  }

  close(): void {
    this.closed = true;
    for (const stop of this.stops) stop();
  }

  private async readEnd(): Promise<void> {
    try {
      const { job } = await ask(LogPageDocument, { jobId: this.jobId, maxBytes: PAGE_BYTES, last: true });
      for (const chunk of job?.log.chunks ?? []) this.store.append(chunk);
    } catch {
      // Then it is shown from the start.
    }
  }

  private followLog(): void {
    const stop = resumable(
      this.client,
      {
        operation: JobLogDocument,
        jobId: this.jobId,
        after: this.store.cursor,
        read: (data: JobLogSubscription) => data.jobLog,
      },
      {
        next: (chunk) => {
          this.store.append(chunk);
          if (chunk.end) this.markRecap();
          this.watcher.grown();
          if (chunk.end) this.watcher.changed();
        },
        gap: () => {
          this.gaps += 1;
          this.watcher.changed();
        },
        lost: () => {
          this.lost = true;
          this.watcher.changed();
        },
        failed: this.fail,
        done: () => undefined,
      },
    );
    this.stops.push(stop);
  }

  private followEvents(): void {
    const stop = resumable(
      this.client,
      {
        operation: JobEventsDocument,
        jobId: this.jobId,
        after: null,
        read: (data: JobEventsSubscription) => data.jobEvents,
      },
      {
        next: (batch) => {
          this.outline.add(batch.events);
          if (batch.end) this.markRecap();
          this.watcher.outlined();
        },
        failed: this.fail,
        done: () => undefined,
      },
    );
    this.stops.push(stop);
  }

  private readonly fail = (reason: string): void => {
    this.failed = reason;
    this.watcher.changed();
  };

  /** No event tells where the recap begins; it is near the end, after every result. */
  private markRecap(): void {
    const last = this.store.lineCount;
    for (let line = last; line > last - 2_000 && line >= this.store.firstLine; line -= 1) {
      if (plain(this.store.line(line, 40) ?? '').startsWith('PLAY RECAP')) {
        this.outline.recap(line);
        this.watcher.outlined();
        return;
      }
    }
  }

  /** Read the text of the segment that holds a line again. */
  async bring(line: number): Promise<void> {
    if (this.filling || this.closed) return;
    this.filling = true;
    try {
      const index = this.store.segmentOf(line);
      const segment = this.store.segments[index];
      const text = segment === undefined ? null : await this.read(segment);
      if (text !== null && this.store.fill(index, text) && !this.closed) this.watcher.filled();
    } finally {
      this.filling = false;
    }
  }

  /** The text between the cursors of a segment; null if it cannot be had now. */
  readonly read = async (segment: Segment): Promise<string | null> => {
    // Whoever goes through a log reads many segments, and a page holds more than one.
    const known = this.rest.after === segment.after;
    let text = known ? this.rest.text : '';
    let cursor = known ? this.rest.cursor : segment.after;
    try {
      while (text.length < segment.chars) {
        const { job } = await ask(LogPageDocument, { jobId: this.jobId, after: cursor, maxBytes: PAGE_BYTES });
        if (!job || job.log.chunks.length === 0) return null;
        text += job.log.chunks.map((chunk) => chunk.text).join('');
        cursor = job.log.cursor;
      }
    } catch {
      return null;
    }
    this.rest = { after: segment.cursor, text: text.slice(segment.chars), cursor };
    return text.slice(0, segment.chars);
  };
}
