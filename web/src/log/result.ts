import { plain } from './ansi';

/** What is shown of a line that somebody picked. */
export interface Parts {
  head: string;
  /** The JSON in it, over several lines; null if there is none. */
  json: string | null;
}

/** A line as ansible prints a result, `ok: [host] => {…}`, taken apart; any other line is all head. */
export function parts(line: string): Parts {
  const text = plain(line);
  const at = text.indexOf('=> {');
  if (at === -1) return { head: text, json: null };
  try {
    return { head: text.slice(0, at).trim(), json: JSON.stringify(JSON.parse(text.slice(at + 3)), null, 2) };
  } catch {
    return { head: text, json: null };
  }
}
