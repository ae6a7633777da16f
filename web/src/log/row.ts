import { type Piece, pieces } from './ansi';
import { coloured } from './ansible-colours';

/** Characters of a line that are put on a row; the rest is in the panel. */
export const ROW_CHARS = 2_000;
/** Where ansible names the hosts of a line, and the words that may be one. */
const HEAD_CHARS = 400;
const HOST = /[\p{L}\p{N}._-]+/gu;
/** A result that is put on one line, and is better read over several. */
const MORE = /=> \{./;

export interface Marked {
  /** The line that is pointed at. */
  line: number | null;
  pattern: RegExp | null;
  /** Whether a line can be folded: 'open', 'closed', or not at all. */
  fold: (line: number) => 'open' | 'closed' | null;
  failed: (line: number) => boolean;
  /** What stands before a line; null leaves that column out. */
  time: ((line: number) => string) | null;
  /** What people call the hosts that have another name in the log. */
  names: ReadonlyMap<string, string>;
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
  const shown = makeText(text, marked.pattern);
  if (marked.names.size > 0) addNames(shown, marked.names);
  row.append(shown);
  if (MORE.test(text)) row.classList.add('more');
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

/**
 * Puts the name that people know behind each host that ansible names at the head of a line. It is drawn by the style sheet
 * from an attribute, so that the text, what is found in it and what is copied from it stay what ansible printed.
 */
function addNames(line: HTMLElement, names: ReadonlyMap<string, string>): void {
  const head = (line.textContent ?? '').slice(0, HEAD_CHARS).split('=>', 1)[0] ?? '';
  for (const match of [...head.matchAll(HOST)].reverse()) {
    const name = names.get(match[0]);
    if (name === undefined) continue;
    const stop = match.index + match[0].length;
    const mark = document.createElement('span');
    mark.className = 'known';
    mark.dataset['name'] = name;
    // Where a table leaves room for it, its columns stay where they are.
    if (head.length - stop - head.slice(stop).trimStart().length > name.length) mark.classList.add('over');
    insertAt(line, stop, mark);
  }
}

/** Puts an element behind so many characters of a line, whatever elements these are in. */
function insertAt(line: HTMLElement, offset: number, element: HTMLElement): void {
  const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let left = offset; texts.nextNode() !== null; ) {
    const text = texts.currentNode as Text;
    if (text.data.length >= left) {
      text.splitText(left).before(element);
      return;
    }
    left -= text.data.length;
  }
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
