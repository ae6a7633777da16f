import { lastAtMost } from './binary-search';

/** One piece of log as the server sends it. */
export interface Chunk {
  cursor: string;
  after: string;
  firstLine: number;
  text: string;
  emittedAt: string;
  end: boolean;
}

/** Where a line stands in the text of a segment. */
export interface Start {
  line: number;
  offset: number;
}

/**
 * A run of log between two cursors: some chunks in one text, with the places where lines start.
 * Its text may be let go and come back; all else stays.
 */
export class Segment {
  text: string | null = '';
  chars = 0;
  cursor: string;
  /** How many lines start here. */
  lines = 0;
  private lastChar = '';
  private offsets: number[] | Int32Array | null = [];

  constructor(
    readonly after: string,
    /** The number of the first line that starts here, or would. */
    readonly firstLine: number,
    /** Whether the text begins where a line does. */
    private readonly atLineStart: boolean,
  ) {
    this.cursor = after;
  }

  /** Whether a text that comes next begins a line. */
  get endsLine(): boolean {
    return this.chars === 0 ? this.atLineStart : this.lastChar === '\n';
  }

  append(text: string, cursor: string): void {
    this.cursor = cursor;
    if (text === '') return;
    const offsets = this.offsets as number[];
    const base = this.chars;
    if (this.endsLine) offsets.push(base);
    for (let at = text.indexOf('\n'); at !== -1 && at + 1 < text.length; at = text.indexOf('\n', at + 1)) {
      offsets.push(base + at + 1);
    }
    this.text += text;
    this.chars += text.length;
    this.lastChar = text.charAt(text.length - 1);
    this.lines = offsets.length;
  }

  /** No more text will come: keep the places as small as can be. */
  seal(): void {
    if (this.offsets !== null) this.offsets = Int32Array.from(this.offsets);
  }

  /** Forget the text. */
  drop(): void {
    this.text = null;
    this.offsets = null;
  }

  /** Take back the text that was dropped. Whether it is the right one, as far as its length tells. */
  fill(text: string): boolean {
    if (text.length !== this.chars) return false;
    const copy = this.copy(text);
    if (copy.lines !== this.lines) return false;
    copy.seal();
    this.text = text;
    this.offsets = copy.offsets;
    return true;
  }

  /** This segment with its text, for a reader who does not want it back here. */
  copy(text: string): Segment {
    const copy = new Segment(this.after, this.firstLine, this.atLineStart);
    copy.append(text, this.cursor);
    return copy;
  }

  /** Where the text of a line begins here; -1 if it is not here or was dropped. */
  offsetOf(line: number): number {
    return this.offsets?.[line - this.firstLine] ?? -1;
  }

  /** The line that the character at `offset` belongs to. */
  lineAt(offset: number): number {
    const offsets = this.offsets ?? [];
    return this.firstLine + lastAtMost(offsets.length, (one) => offsets[one] as number, offset);
  }
}
