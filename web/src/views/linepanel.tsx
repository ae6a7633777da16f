import { parts } from '../log/result';
import type { LogStore } from '../log/store';
import { useWords } from '../state/playcast';

/** One line of the log as a whole, and the result in it so that it can be read. */
export function LinePanel({ store, line, close }: { store: LogStore; line: number; close: () => void }) {
  const words = useWords();
  const text = store.line(line);
  const { head, json } = parts(text ?? '');
  return (
    <aside class="panel" aria-label={`${words.log.panel} ${line}`}>
      <div class="bar">
        <strong>
          {words.log.panel} {line}
        </strong>
        <button onClick={close}>{words.common.close}</button>
      </div>
      <pre class="wrapped">{head}</pre>
      {json !== null && <pre>{json}</pre>}
    </aside>
  );
}
