import { plain } from './ansi';

/** What is shown of a result that somebody picked. */
export interface Parts {
  head: string;
  /** What it holds, over several lines; null if it is not printed as JSON, and then reads as it stands. */
  block: string | null;
  /** What ansible says before and after it: the place in the playbook, and warnings. */
  around: string;
}

const MARK = '=> {';
/** What people look for, in this order; the rest follows as ansible sorts it. */
const FIRST = ['msg', 'reason', 'stderr', 'module_stderr', 'stdout', 'module_stdout', 'exception', 'rc', 'cmd'];

/** A result as ansible prints it, `ok: [host] => {…}`, taken apart; anything else is all head. */
export function parts(printed: string): Parts {
  const text = plain(printed).trimEnd();
  const mark = text.indexOf(MARK);
  if (mark === -1) return { head: text, block: null, around: '' };
  const from = mark + MARK.length - 1;
  const line = text.indexOf('\n', from);
  for (const stop of [text.length, line === -1 ? text.length : line]) {
    try {
      const block = fields(sorted(JSON.parse(text.slice(from, stop)) as Fields)).join('\n');
      const start = text.lastIndexOf('\n', mark) + 1;
      const around = [text.slice(0, start), text.slice(stop)].map((one) => one.trim()).filter(Boolean);
      return { head: text.slice(start, mark).trim(), block, around: around.join('\n\n') };
    } catch {
      // Then it ends somewhere else, or is no JSON.
    }
  }
  return { head: text, block: null, around: '' };
}

type Fields = Readonly<Record<string, unknown>>;

/** A result without what it says twice. */
function sorted(result: Fields): Fields {
  const keys = Object.keys(result).filter((key) => !isTwin(result, key));
  const rank = (key: string): number => (FIRST.indexOf(key) + 1 || FIRST.length + 1);
  return Object.fromEntries(keys.sort((one, other) => rank(one) - rank(other)).map((key) => [key, result[key]]));
}

/** Whether a field holds the lines of another, as `stdout_lines` does. */
function isTwin(result: Fields, key: string): boolean {
  const whole = key.endsWith('_lines') ? result[key.slice(0, -'_lines'.length)] : undefined;
  const lines = result[key];
  return typeof whole === 'string' && Array.isArray(lines) && whole.trimEnd().split(/\r?\n/).join('\n') === lines.join('\n').trimEnd();
}

function fields(value: Fields): string[] {
  return Object.entries(value).flatMap(([key, held]) => below(`${key}:`, held));
}

/** The lines of a value behind its name or dash: as YAML writes it, texts of several lines as they are. */
function below(name: string, value: unknown): string[] {
  if (typeof value === 'string') {
    const text = plain(value);
    if (!/[\r\n]/.test(text)) return [`${name} ${isBare(text) ? text : JSON.stringify(text)}`];
    return [`${name} |`, ...indented(text.trimEnd().split(/\r?\n/))];
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [`${name} ${JSON.stringify(value)}`];
  if (Array.isArray(value)) return [name, ...indented(value.flatMap((one) => below('-', one)))];
  return [name, ...indented(fields(value as Fields))];
}

/** Whether a text cannot be taken for something else. */
function isBare(text: string): boolean {
  return text !== '' && text.trim() === text && !/^(?:[-+.\d].*|true|false|null)$/s.test(text);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
