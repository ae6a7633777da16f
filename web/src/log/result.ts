import { plain } from './ansi';

/** What is shown of a result that somebody picked. */
export interface Parts {
  head: string;
  /** The JSON in it, over several lines; null if there is none. */
  json: string | null;
  /** What comes after it. */
  tail: string;
}

const MARK = '=> {';

/** A result as ansible prints it, `ok: [host] => {…}`, taken apart; anything else is all head. */
export function parts(printed: string): Parts {
  const text = plain(printed).trimEnd();
  const mark = text.indexOf(MARK);
  if (mark === -1) return { head: text, json: null, tail: '' };
  const from = mark + MARK.length - 1;
  const line = text.indexOf('\n', from);
  for (const stop of [text.length, line === -1 ? text.length : line]) {
    try {
      const json = JSON.stringify(JSON.parse(text.slice(from, stop)), null, 2);
      return { head: text.slice(0, mark).trim(), json, tail: text.slice(stop).trim() };
    } catch {
      // Then it ends somewhere else, or is no JSON.
    }
  }
  return { head: text, json: null, tail: '' };
}
