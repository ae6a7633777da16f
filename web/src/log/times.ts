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
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.lines[middle] as number) <= line) low = middle + 1;
      else high = middle;
    }
    return this.moments[low - 1] ?? null;
  }
}
