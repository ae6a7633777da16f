import { lastAtMost } from './binary-search';

/** Lines from `first` up to, not with, `stop`; Infinity is the end of a log that may still grow. */
export interface Range {
  first: number;
  stop: number;
}

/** Which lines are shown, and on which row: rows count from 0, lines from 1. */
export class Rows {
  private readonly before: number[] = [];

  /** `ranges` ascend and do not touch; only the last may be open. */
  constructor(private readonly ranges: readonly Range[]) {
    let sum = 0;
    for (const range of ranges) {
      this.before.push(sum);
      sum += range.stop - range.first;
    }
  }

  /** Every line from `first` on. */
  static all(first: number): Rows {
    return new Rows([{ first, stop: Infinity }]);
  }

  /** How many rows a log with so many lines has. */
  count(lineCount: number): number {
    for (let index = this.ranges.length - 1; index >= 0; index -= 1) {
      const { first, stop } = this.ranges[index] as Range;
      if (first <= lineCount) return (this.before[index] as number) + Math.min(stop, lineCount + 1) - first;
    }
    return 0;
  }

  /** The line on a row that exists. */
  lineAt(row: number): number {
    const index = lastAtMost(this.before.length, (one) => this.before[one] as number, row);
    return (this.ranges[index]?.first ?? 1) + row - (this.before[index] ?? 0);
  }

  /** The row of a line, or of the last shown line before it. */
  rowOf(line: number): number {
    const index = lastAtMost(this.ranges.length, (one) => (this.ranges[one] as Range).first, line);
    if (index < 0) return 0;
    const { first, stop } = this.ranges[index] as Range;
    return (this.before[index] as number) + Math.min(line, stop - 1) - first;
  }
}
