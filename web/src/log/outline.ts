import type { JobEventsSubscription } from '../generated/operations';
import { lastAtMost } from './binary-search';
import { type Range, Rows } from './rows';
import { Times } from './times';

type Event = JobEventsSubscription['jobEvents']['events'][number];

/** Where something begins in the log: a task, what it gave on a host, or (with neither) the recap. */
interface Mark {
  line: number;
  /** The number of the task, counted from 0; -1 outside of any. */
  task: number;
  host: string | null;
}

export interface Task {
  name: string;
  line: number;
  startedAt: number;
  endedAt: number;
}

export interface Failure {
  line: number;
  host: string;
  task: string;
  /** Whether the host could not be reached at all. */
  away: boolean;
  message: string | null;
}

/** What is left out of the log. */
export interface Choice {
  host: string | null;
  folded: ReadonlySet<number>;
}

/** The log by tasks and hosts, as the events tell it. */
export class Outline {
  readonly tasks: Task[] = [];
  readonly failures: Failure[] = [];
  private readonly marks: Mark[] = [];
  private readonly times = new Times();
  private lastHost: Mark | null = null;

  add(events: readonly Event[]): void {
    for (const event of events) {
      const at = Date.parse(event.at);
      const running = this.tasks.at(-1);
      if (running !== undefined) running.endedAt = at;
      if ('logLine' in event && event.logLine !== null) this.times.add(event.logLine, event.at);
      if (event.__typename === 'TaskStartedEvent' && event.logLine !== null) {
        this.mark({ line: event.logLine, task: this.tasks.length, host: null });
        this.tasks.push({ name: event.task, line: event.logLine, startedAt: at, endedAt: at });
      } else if (event.__typename === 'HostTaskEvent' && event.logLine !== null) {
        this.mark({ line: event.logLine, task: this.tasks.length - 1, host: event.host });
        if (event.status === 'FAILED' || event.status === 'UNREACHABLE') {
          const { host, task, message } = event;
          this.failures.push({ line: event.logLine, host, task, away: event.status === 'UNREACHABLE', message });
        }
      }
    }
  }

  /** The recap begins here, which no event tells. */
  recap(line: number): void {
    this.mark({ line, task: -1, host: null });
  }

  private mark(mark: Mark): void {
    const last = this.marks.at(-1);
    if (last !== undefined && mark.line < last.line) return;
    if (last?.line === mark.line) {
      // Two results on one line: neither owns it alone.
      if (last.host !== mark.host) last.host = null;
      return;
    }
    this.marks.push(mark);
    if (mark.host !== null) this.lastHost = mark;
  }

  /** When the task or result that a line belongs to was told; null before the first. */
  timeOf(line: number): number | null {
    return this.times.of(line);
  }

  /** The lines of the result that a line belongs to; only itself outside of any. */
  resultAt(line: number): Range {
    const index = this.markAt(line);
    const mark = this.marks[index];
    if (mark === undefined || mark.host === null) return { first: line, stop: line + 1 };
    return { first: mark.line, stop: this.marks[index + 1]?.line ?? line + 1 };
  }

  /** The host whose result a line belongs to; null if it is of none alone, and then is shown with any. */
  hostAt(line: number): string | null {
    return this.marks[this.markAt(line)]?.host ?? null;
  }

  private markAt(line: number): number {
    return lastAtMost(this.marks.length, (one) => (this.marks[one] as Mark).line, line);
  }

  /** The task whose part of the log holds a line; -1 if none does. */
  taskAt(line: number): number {
    return this.tasks.findLastIndex((task) => task.line <= line);
  }

  /** The task that begins on a line; -1 if none does. */
  taskOn(line: number): number {
    const task = this.taskAt(line);
    return this.tasks[task]?.line === line ? task : -1;
  }

  /** The lines that are left. */
  rows(first: number, { host, folded }: Choice): Rows {
    if (this.lastHost === null || (host === null && folded.size === 0)) return Rows.all(first);
    const ranges: Range[] = [];
    const show = (from: number, stop: number): void => {
      const last = ranges.at(-1);
      const begin = Math.max(from, first);
      if (begin >= stop) return;
      if (last?.stop === begin) last.stop = stop;
      else ranges.push({ first: begin, stop });
    };
    show(first, this.marks[0]?.line ?? Infinity);
    this.marks.forEach((mark, index) => {
      const stop = this.marks[index + 1]?.line ?? Infinity;
      if (folded.has(mark.task)) {
        if (this.tasks[mark.task]?.line === mark.line) show(mark.line, mark.line + 1);
      } else if (host === null || mark.host === null || mark.host === host) {
        show(mark.line, stop);
      }
    });
    return new Rows(ranges);
  }
}
