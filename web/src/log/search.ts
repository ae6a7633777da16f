import type { Segment } from './segment';
import type { LogStore } from './store';

/** More finds than anybody steps through. */
const MOST_FINDS = 100_000;

/** Reads a dropped segment again; null if it cannot be had. */
export type Reader = (segment: Segment) => Promise<string | null>;

/** The lines of a log that hold a text, upper and lower case alike. It goes on where it stopped as the log grows. */
export class Search {
  readonly lines: number[] = [];
  readonly pattern: RegExp;
  /** Whether a part could not be read again, so that there may be more. */
  partial = false;
  private index = 0;
  private offset = 0;
  private stopped = false;
  /** The end of a line that goes on in the next segment, as far as the text can reach over. */
  private carried = '';

  constructor(
    private readonly store: LogStore,
    readonly text: string,
  ) {
    this.pattern = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
  }

  stop(): void {
    this.stopped = true;
  }

  get full(): boolean {
    return this.lines.length >= MOST_FINDS;
  }

  /** Look through what is new; `pause` runs after each segment and lets others work. */
  async advance(read: Reader, pause: () => Promise<void>): Promise<void> {
    for (; !this.stopped && !this.full; await pause()) {
      const segment = this.store.segments[this.index];
      if (segment === undefined) return;
      const last = this.index === this.store.segments.length - 1;
      const text = segment.text ?? (await read(segment));
      if (this.stopped) return;
      if (text === null) this.partial = true;
      else this.look(segment, text);
      if (last && this.index === this.store.segments.length - 1) return;
      const tail = Math.max((text ?? '').lastIndexOf('\n') + 1, (text ?? '').length - this.text.length + 1);
      this.carried = (text ?? '').slice(tail);
      this.index += 1;
      this.offset = 0;
    }
  }

  private look(segment: Segment, text: string): void {
    // A segment that was dropped has no places any more; a copy of it counts them.
    const places = segment.text === null ? segment.copy(text) : segment;
    if (this.offset === 0) this.lookOver(segment, text);
    this.pattern.lastIndex = this.offset;
    for (let match = this.pattern.exec(text); match !== null; match = this.pattern.exec(text)) {
      const line = places.lineAt(match.index);
      if (this.lines.at(-1) !== line) this.lines.push(line);
      const end = text.indexOf('\n', match.index);
      this.offset = this.pattern.lastIndex = end === -1 ? text.length : end + 1;
      if (this.full) return;
    }
    // The last line may not be whole yet.
    this.offset = Math.max(this.offset, text.lastIndexOf('\n') + 1);
  }

  /** Look at what stands half in the segment before. */
  private lookOver(segment: Segment, text: string): void {
    this.pattern.lastIndex = 0;
    const around = this.carried + text.slice(0, this.text.length - 1);
    const line = segment.firstLine - 1;
    if (this.carried !== '' && this.pattern.test(around) && this.lines.at(-1) !== line) this.lines.push(line);
  }
}
