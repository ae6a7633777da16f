import type { Failure } from './outline';

/** Failures with one cause: of one task, with words that differ in names, addresses and numbers alone. */
export interface Cause {
  task: string;
  away: boolean;
  failures: readonly Said[];
}

/** A failure, with what was said in the names that people use. */
export interface Said extends Failure {
  said: string;
}

/** What people call a host. */
export type NameOf = (host: string) => string;

const WORD = /[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*[\p{L}\p{N}_])?/gu;
/** What ansible 2.19 and later put around what was said. */
const LAYERS = /^(?:Task failed: |Action failed: |Module failed: )+/;

/** The failures by their causes, the most frequent first. `hosts` are those of the job. */
export function causes(failures: readonly Failure[], hosts: readonly string[], nameOf: NameOf): Cause[] {
  const known = new Set(hosts.flatMap((host) => [host, nameOf(host)]));
  const found = new Map<string, Cause & { failures: Said[] }>();
  for (const failure of failures) {
    const { host, task, away, message } = failure;
    const said = (message ?? '').replace(LAYERS, '').replace(WORD, (word) => (word === host ? nameOf(host) : word));
    const key = JSON.stringify([task, away, folded(said, nameOf(host), known)]);
    const cause = found.get(key) ?? { task, away, failures: [] };
    found.set(key, cause);
    cause.failures.push({ ...failure, said });
  }
  return [...found.values()].sort((one, other) => other.failures.length - one.failures.length);
}

/** What was said less the names and numbers in it. */
function folded(said: string, name: string, known: ReadonlySet<string>): string {
  // A name of several words is not found word by word.
  const text = name.replace(WORD, '') === '' ? said : said.replaceAll(name, '#');
  return text.replace(WORD, (word) => (/\d/.test(word) || known.has(word) ? '#' : word));
}

/** The sentences of a job's message that only repeat what failed tasks said. */
const FAILED = /^failed on .* at "(.*?)"(?:: (.*))?$/s;
const MORE = /^\d+ more for other reasons$/;

/** What a job's message says beyond these causes; null if that is nothing. */
export function beyond(message: string | null, of: readonly Cause[]): string | null {
  if (message === null || of.length === 0) return message;
  const repeats = (sentence: string): boolean => {
    const [, task = '', words = ''] = FAILED.exec(sentence) ?? [];
    return of.some((cause) => begins(cause.task, task) && cause.failures.some(({ said }) => begins(said, words)));
  };
  const left = message
    .split(/; (?=failed on |\d+ more for other reasons)/)
    .filter((sentence) => !MORE.test(sentence) && !(FAILED.test(sentence) && repeats(sentence)));
  return left.join('; ') || null;
}

/** Whether a text begins with a part, which may be cut and is on one line. */
function begins(whole: string, part: string): boolean {
  return whole.replace(/\s+/g, ' ').trim().startsWith(part.replace(/…$/, '').trim());
}
