import { type Piece, pieces } from './ansi';
import { coloured } from './hue';

/** Characters of a line that are put on a row; the rest is in the panel. */
export const ROW_CHARS = 2_000;

export interface Marked {
  /** The line that is pointed at. */
  line: number | null;
  pattern: RegExp | null;
  /** Whether a line can be folded: 'open', 'closed', or not at all. */
  fold: (line: number) => 'open' | 'closed' | null;
  failed: (line: number) => boolean;
  /** What stands before a line; null leaves that column out. */
  time: ((line: number) => string) | null;
}

interface Content {
  line: number;
  /** At most ROW_CHARS of it; undefined if it is not here now. */
  text: string | undefined;
  /** The address of the line. */
  href: string;
}

/** A row for one line. Only textContent: what a managed host prints is text and nothing else. */
export function makeRow({ line, text, href }: Content, marked: Marked): HTMLElement {
  const row = document.createElement('div');
  row.className = 'row';
  row.dataset['line'] = String(line);
  if (line === marked.line) row.classList.add('here');
  if (marked.failed(line)) row.classList.add('failed');
  const fold = marked.fold(line);
  if (fold !== null) row.classList.add(fold);
  row.append(makeNumber(line, href));
  if (marked.time !== null) row.append(makeTime(marked.time(line)));
  if (text === undefined) {
    row.dataset['missing'] = '';
    return row;
  }
  row.append(makeText(text, marked.pattern));
  if (text.length >= ROW_CHARS) row.classList.add('cut');
  return row;
}

function makeNumber(line: number, href: string): HTMLElement {
  const number = document.createElement('a');
  number.href = href;
  number.textContent = String(line);
  number.tabIndex = -1;
  return number;
}

function makeTime(text: string): HTMLElement {
  const time = document.createElement('time');
  time.textContent = text;
  return time;
}

function makeText(line: string, pattern: RegExp | null): HTMLElement {
  const whole = document.createElement('span');
  const [first, ...others] = coloured(pieces(line));
  whole.className = `text ${others.length === 0 ? (first?.look ?? '') : ''}`;
  if (others.length === 0) markFinds(whole, first?.text ?? '', pattern);
  for (const piece of others.length === 0 ? [] : [first as Piece, ...others]) {
    const span = document.createElement('span');
    span.className = piece.look;
    markFinds(span, piece.text, pattern);
    whole.append(span);
  }
  return whole;
}

function markFinds(into: HTMLElement, text: string, pattern: RegExp | null): void {
  if (pattern === null) {
    into.textContent = text;
    return;
  }
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') break;
    into.append(text.slice(from, match.index));
    const mark = document.createElement('mark');
    mark.textContent = match[0];
    into.append(mark);
    from = match.index + match[0].length;
  }
  into.append(text.slice(from));
}
