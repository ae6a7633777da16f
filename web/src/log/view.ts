import { makeRow, type Marked, ROW_CHARS } from './row';
import { Rows } from './rows';
import type { LogStore } from './store';

export const ROW_PX = 18;
/** Browsers cannot lay out much taller elements: Firefox ends at 17.9 million. */
const TALLEST_PX = 8_000_000;
/** A log that grows is drawn at once, and then no more often than this; what the reader does shows in the next frame. */
const GROWTH_MS = 50;
/** The same where more comes than fits: nobody reads that, and drawing is what costs most. */
const FLOOD_MS = 250;
/** How often the scroll bar moves while the reader follows. */
const PLACE_MS = 500;
/** Rows above and below what is seen. */
const MORE_ROWS = 8;
/** By these a reader moves the log or the page. */
export const READER = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const;

export interface Hooks {
  /** Text that is not here any more is looked at. */
  missing: (line: number) => void;
  /** Following began or ended because of what the reader did. */
  followed: (follow: boolean) => void;
  /** The address of a line. */
  href: (line: number) => string;
}

/** The rows that are seen of a log, and no others. */
export class LogView {
  follow = true;
  rows: Rows;
  private readonly canvas = document.createElement('div');
  private readonly pane = document.createElement('div');
  private readonly drawn = new Map<number, HTMLElement>();
  private readonly resized = new ResizeObserver(() => this.measure());
  /** The first row that is seen, with its fraction. */
  private top = 0;
  private scrolled = 0;
  private frame = 0;
  private later: ReturnType<typeof setTimeout> | null = null;
  private due = 0;
  private painted = 0;
  /** Every row is to be made anew. */
  private stale = false;
  private placed = 0;
  private placedLowest = 0;
  private height = 0;
  /** The height of the room. */
  private seen = 0;
  /** The last line when it was drawn last. */
  private growing = 0;
  /** The line that is to stay in sight, whatever comes or goes around it, until the reader moves. */
  private aim: number | null = null;
  /** Where the window was scrolled to for it. */
  private placedWindow = 0;
  private marked: Marked = { line: null, pattern: null, fold: () => null, failed: () => false, time: null, names: new Map() };

  constructor(
    private readonly room: HTMLElement,
    private readonly store: LogStore,
    private readonly hooks: Hooks,
  ) {
    this.rows = Rows.all(1);
    this.canvas.className = 'canvas';
    this.pane.className = 'pane';
    this.canvas.append(this.pane);
    room.replaceChildren(this.canvas);
    room.addEventListener('scroll', this.onScroll, { passive: true });
    room.addEventListener('wheel', this.onWheel, { passive: false });
    for (const kind of [...READER, 'scroll']) addEventListener(kind, this.release, { capture: true, passive: true });
    this.resized.observe(room);
    this.resized.observe(document.body);
    this.measure();
  }

  /** Asking for the height makes the browser lay everything out, so it is asked for when it changes only. */
  private measure(): void {
    // `clientHeight` alone is rounded, up as well, and the last row would stick out.
    const bar = this.room.offsetHeight - this.room.clientHeight;
    this.seen = Math.floor(this.room.getBoundingClientRect().height) - bar;
    this.seek();
    this.draw();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    if (this.later !== null) clearTimeout(this.later);
    this.resized.disconnect();
    this.room.removeEventListener('scroll', this.onScroll);
    this.room.removeEventListener('wheel', this.onWheel);
    for (const kind of [...READER, 'scroll']) removeEventListener(kind, this.release, { capture: true });
  }

  /** Show other lines, or mark others; everything is drawn anew. */
  change(rows: Rows, marked: Marked): void {
    const line = this.rows.count(this.store.lineCount) > 0 ? this.rows.lineAt(Math.floor(this.top)) : 1;
    const fraction = this.top % 1;
    if (rows !== this.rows) {
      this.rows = rows;
      this.top = rows.rowOf(line) + fraction;
      this.seek();
    }
    this.marked = marked;
    this.redraw();
  }

  /** Text came, or came back. */
  redraw(): void {
    this.stale = true;
    this.draw();
  }

  /** The log has grown, however often. */
  grow(): void {
    if (this.store.ended) {
      this.draw();
      return;
    }
    const flood = this.store.lineCount - this.growing > this.visible;
    this.drawLater(this.painted + (flood ? FLOOD_MS : GROWTH_MS) - performance.now());
  }

  draw(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(this.paint);
  }

  private drawLater(milliseconds: number): void {
    const due = performance.now() + Math.max(0, milliseconds);
    if (this.later !== null && this.due <= due) return;
    if (this.later !== null) clearTimeout(this.later);
    this.due = due;
    this.later = setTimeout(() => {
      this.later = null;
      this.draw();
    }, due - performance.now());
  }

  /** Bring a line into sight, in the log and in the window, and keep it there until the reader moves. */
  goTo(line: number): void {
    this.setFollow(false);
    this.aim = line;
    this.room.scrollLeft = 0;
    // What was scrolled before, and is told later, does not take the reader away from it.
    this.scrolled = this.room.scrollTop;
    this.seek();
    this.draw();
  }

  /** Bring the line that is aimed at to the middle, unless it is seen as a whole already. */
  private seek(): void {
    if (this.aim === null) return;
    const row = this.rows.rowOf(this.aim);
    if (row < this.top || row + 1 > this.top + this.seen / ROW_PX) this.top = row - Math.floor(this.visible / 2);
    // The window, with what stands beside the log.
    (this.room.parentElement ?? this.room).scrollIntoView({ block: 'nearest' });
    this.placedWindow = scrollY;
  }

  private readonly release = (event: Event): void => {
    // The window scrolls for us, too, and says so later.
    if (event.type !== 'scroll' || (event.target === document && Math.abs(scrollY - this.placedWindow) > 1)) this.aim = null;
  };

  /** Move by rows, as a key does. */
  move(rows: number): void {
    this.top += rows;
    this.setFollow(rows > 0 && this.top >= this.lowest);
    this.draw();
  }

  toEnd(): void {
    this.setFollow(true);
    this.draw();
  }

  /** Rows that fit. */
  get visible(): number {
    return Math.max(1, Math.floor(this.seen / ROW_PX));
  }

  /** The first row that is seen as a whole. */
  get firstSeen(): number {
    return Math.ceil(this.top);
  }

  /** The first row when the last one is seen. */
  private get lowest(): number {
    return Math.max(0, this.rows.count(this.store.lineCount) - this.seen / ROW_PX);
  }

  private setFollow(follow: boolean): void {
    if (follow === this.follow) return;
    this.follow = follow;
    this.hooks.followed(follow);
  }

  private readonly onScroll = (): void => {
    const now = this.room.scrollTop;
    if (Math.abs(now - this.scrolled) < 1) return;
    this.scrolled = now;
    const span = this.height - this.seen;
    this.top = span > 0 ? (now / span) * this.placedLowest : 0;
    // By pixels: lines that came meanwhile do not keep the reader from the end.
    this.setFollow(span - now < 2);
    this.draw();
  };

  /** Where rows outnumber the pixels, a turn of the wheel would skip lines: so it moves by rows. */
  private readonly onWheel = (event: WheelEvent): void => {
    if (event.deltaY < 0) this.setFollow(false);
    if (!this.scaled || event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? ROW_PX : 1;
    this.move((event.deltaY * unit) / ROW_PX);
  };

  private get scaled(): boolean {
    return this.rows.count(this.store.lineCount) * ROW_PX > TALLEST_PX;
  }

  private readonly paint = (): void => {
    this.frame = 0;
    this.painted = performance.now();
    const count = this.rows.count(this.store.lineCount);
    this.top = this.follow ? this.lowest : Math.min(Math.max(0, this.top), this.lowest);
    this.place(Math.min(count * ROW_PX, TALLEST_PX));
    const first = Math.max(0, Math.floor(this.top) - MORE_ROWS);
    const stop = Math.min(count, Math.ceil(this.top + this.seen / ROW_PX) + MORE_ROWS);
    this.drawRows(first, stop);
    this.growing = this.store.lineCount;
  };

  /** Make the scroll bar fit. The rows are drawn where it stands, so it may lag behind them for a moment. */
  private place(height: number): void {
    const now = performance.now();
    if (this.follow && this.height > this.seen && height >= this.height && now - this.placed < PLACE_MS) {
      if (height > this.height) this.drawLater(PLACE_MS);
      return;
    }
    this.placed = now;
    if (this.height !== height) this.canvas.style.height = `${(this.height = height)}px`;
    const span = this.height - this.seen;
    const wanted = this.lowest > 0 ? (this.top / this.lowest) * Math.max(0, span) : 0;
    if (Math.abs(this.room.scrollTop - wanted) >= 1) this.room.scrollTop = wanted;
    this.scrolled = this.room.scrollTop;
    this.placedLowest = this.lowest;
  }

  private drawRows(first: number, stop: number): void {
    if (this.stale) {
      for (const row of this.drawn.values()) row.remove();
      this.drawn.clear();
      this.stale = false;
    }
    const kept = new Set<number>();
    for (let row = first; row < stop; row += 1) kept.add(this.rows.lineAt(row));
    for (const [line, element] of this.drawn) {
      if (kept.has(line)) continue;
      element.remove();
      this.drawn.delete(line);
    }
    let next: ChildNode | null = this.pane.firstChild;
    for (const line of kept) {
      const before = this.drawn.get(line);
      const element = this.rowOf(line);
      if (before !== undefined && before === next) next = element;
      // In the order of the lines, so that a selection copies as it reads.
      if (element === next) next = element.nextSibling;
      else this.pane.insertBefore(element, next);
    }
    // One element moves, not each row: the browser keeps books about everything that has a place of its own.
    this.pane.style.transform = `translateY(${this.scrolled + (first - this.top) * ROW_PX}px)`;
  }

  /** The row of a line as it stands; the last one may have got longer, and text may have come back. */
  private rowOf(line: number): HTMLElement {
    const drawn = this.drawn.get(line);
    if (drawn !== undefined && line < this.growing && drawn.dataset['missing'] === undefined) return drawn;
    const text = this.store.line(line, ROW_CHARS);
    if (text === undefined) this.hooks.missing(line);
    const row = makeRow({ line, text, href: this.hooks.href(line) }, this.marked);
    drawn?.replaceWith(row);
    this.drawn.set(line, row);
    return row;
  }
}
