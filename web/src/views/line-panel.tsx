import type { Follower } from '../log/follower';
import { parts } from '../log/result';
import { useWords } from '../state/context';

/** Most lines of one result that are put together. */
const MOST_LINES = 500;

interface Props {
  follower: Follower;
  line: number;
  nameOf: (host: string) => string;
  close: () => void;
}

/** The result that a line of the log belongs to, as a whole and so that it can be read. */
export function LinePanel({ follower, line, nameOf, close }: Props) {
  const words = useWords();
  const { store, outline } = follower;
  const { first, stop } = outline.resultAt(line);
  const host = outline.hostAt(line);
  const lines: string[] = [];
  for (let one = first; one < Math.min(stop, first + MOST_LINES); one += 1) lines.push(store.line(one) ?? '');
  const { head, block, around } = parts(lines.join('\n'));
  return (
    <aside class="panel" aria-label={`${words.log.panel} ${line}`} tabIndex={0}>
      <div class="bar">
        <strong>
          {words.log.panel} {line}
          {host !== null && ` · ${nameOf(host)}`}
        </strong>
        <button onClick={close}>{words.common.close}</button>
      </div>
      <pre>{head}</pre>
      {block !== null && <pre aria-label={words.log.json}>{block}</pre>}
      {around !== '' && <pre>{around}</pre>}
    </aside>
  );
}
