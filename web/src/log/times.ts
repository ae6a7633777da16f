import { lastAtMost } from './binary-search';

/** When lines came: one entry for each second in which any did. */
export class Times {
  private readonly lines: number[] = [];
  private readonly moments: number[] = [];

  /** The lines from this one on came at `at`, an instant as the API writes it. */
  add(line: number, at: string): void {
    const second = Math.floor(Date.parse(at) / 1_000) * 1_000;
    if (Number.isNaN(second) || second === this.moments.at(-1) || line < (this.lines.at(-1) ?? 0)) return;
    this.lines.push(line);
    this.moments.push(second);
  }

  of(line: number): number | null {
    return this.moments[lastAtMost(this.lines.length, (one) => this.lines[one] as number, line)] ?? null;
  }
}
