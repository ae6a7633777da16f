import { lastAtMost } from './binary-search';
import { type Chunk, Segment } from './segment';
import { Times } from './times';

/** Characters in a segment before the next one begins: as much as the server puts into one chunk. */
const SEGMENT_CHARS = 65_536;
/** Characters of text kept at a time; the rest is asked for again when somebody looks at it. */
const KEPT_CHARS = 32 * 1024 * 1024;
/** Most characters of one line that are put together. */
const LINE_CHARS = 1_000_000;

/** The log of one job: what came so far, by lines, with a bound on the text that is held. */
export class LogStore {
  readonly segments: Segment[] = [];
  /** The resume point; null before anything came. */
  cursor: string | null = null;
  /** Lines that have begun so far, the ones before the first chunk included. */
  lineCount = 0;
  /** The number of the first line that can be shown. */
  firstLine = 1;
  ended = false;
  private readonly times = new Times();
  private held = 0;
  private looked = 0;

  constructor(private readonly keptChars: number = KEPT_CHARS) {}

  append(chunk: Chunk): void {
    const last = this.open(chunk);
    const before = last.lines;
    last.append(chunk.text, chunk.cursor);
    this.held += chunk.text.length;
    if (last.lines > before) this.times.add(this.lineCount + 1, chunk.emittedAt);
    this.lineCount += last.lines - before;
    this.cursor = chunk.cursor;
    this.ended ||= chunk.end;
    this.letGo();
  }

  /** The segment that takes the next text. */
  private open(chunk: Chunk): Segment {
    const last = this.segments.at(-1);
    if (last === undefined) {
      this.firstLine = chunk.firstLine;
      this.lineCount = chunk.firstLine - 1;
    } else if (last.chars < SEGMENT_CHARS) {
      return last;
    }
    last?.seal();
    const next = new Segment(chunk.after, this.lineCount + 1, last?.endsLine ?? true);
    this.segments.push(next);
    return next;
  }

  /** When a line came, to the second and in milliseconds since 1970; null if that is not known. */
  timeOf(line: number): number | null {
    return this.times.of(line);
  }

  /** The index of the segment in which a line starts. */
  segmentOf(line: number): number {
    return lastAtMost(this.segments.length, (one) => (this.segments[one] as Segment).firstLine, line);
  }

  /** A line without its end, cut at `most` characters; undefined if its text is not here now. */
  line(line: number, most: number = LINE_CHARS): string | undefined {
    let index = this.segmentOf(line);
    this.looked = index;
    const first = this.segments[index];
    let from = first?.offsetOf(line) ?? -1;
    if (first?.text == null || from < 0) return undefined;
    let text = '';
    for (let segment: Segment | undefined = first; segment !== undefined; segment = this.segments[(index += 1)]) {
      if (segment.text === null) break;
      const end = segment.text.indexOf('\n', from);
      const stop = Math.min(end === -1 ? segment.chars : end, from + most - text.length);
      text += segment.text.slice(from, stop);
      if (end !== -1 || text.length >= most) break;
      from = 0;
    }
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  }

  /** Give a dropped segment its text back. */
  fill(index: number, text: string): boolean {
    const segment = this.segments[index];
    if (segment === undefined || segment.text !== null) return true;
    if (!segment.fill(text)) return false;
    this.held += segment.chars;
    this.looked = index;
    this.letGo();
    return true;
  }

  /** Drop the texts that are farthest from where somebody looks, and never the one that still grows. */
  private letGo(): void {
    if (this.held <= this.keptChars) return;
    const enough = this.keptChars * 0.75;
    let low = 0;
    let high = this.segments.length - 2;
    while (this.held > enough && low < high) {
      const lowest = this.looked - low > high - this.looked;
      const segment = this.segments[lowest ? low++ : high--] as Segment;
      if (segment.text === null) continue;
      this.held -= segment.chars;
      segment.drop();
    }
  }
}
