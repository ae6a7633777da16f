import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { address } from '../api/ask';
import type { JobDetailsFragment } from '../generated/operations';
import { type JobLog, useJobLog } from '../state/joblog';
import { useWords } from '../state/playcast';
import { isFinal } from '../state/stage';
import { useKeys } from '../state/keys';
import { LinePanel } from './linepanel';
import { Tasks } from './tasks';
import { Trouble } from './notice';

interface Props {
  job: JobDetailsFragment;
  line: number | null;
  host: string | null;
  pickHost: (host: string | null) => void;
}

export function LogPane({ job, line, host, pickHost }: Props) {
  const words = useWords().log;
  const room = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [all, setAll] = useState(false);
  const [times, setTimes] = useState(false);
  const log = useJobLog(room, { job, all, line, host, text, times });
  // What is looked for may be anywhere, so a search needs the part as well that was left out.
  if (text !== '' && !all && log.follower.store.firstLine > 1) setAll(true);
  useKeys(log, box);

  const click = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('.row');
    if (row === null || target.closest('a') !== null || getSelection()?.type === 'Range') return;
    log.open(Number(row.dataset['line']));
  };
  return (
    <section class="logpane" aria-label={words.title}>
      <Tasks job={job} log={log} />
      <Tools job={job} log={log} host={host} pickHost={pickHost} times={times} setTimes={setTimes}>
        <input
          ref={box}
          type="search"
          placeholder={words.search}
          aria-label={words.search}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && log.find(event.shiftKey ? -1 : 1)}
        />
      </Tools>
      <Notices job={job} log={log} loadAll={() => setAll(true)} />
      <div class="split">
        <div class="log" role="log" aria-live="off" aria-label={words.title} title={words.keys} tabIndex={0} ref={room} onClick={click} />
        {log.opened !== null && <LinePanel follower={log.follower} line={log.opened} close={log.close} />}
      </div>
    </section>
  );
}

interface ToolsProps {
  job: JobDetailsFragment;
  log: JobLog;
  host: string | null;
  pickHost: (host: string | null) => void;
  times: boolean;
  setTimes: (times: boolean) => void;
  children: ComponentChildren;
}

function Tools({ job, log, host, pickHost, times, setTimes, children }: ToolsProps) {
  const words = useWords().log;
  const { outline, store } = log.follower;
  const tasks = outline.tasks.length;
  const folded = log.folded.size > 0;
  return (
    <div class="bar tools">
      {children}
      <Finds log={log} />
      <select aria-label={words.host} value={host ?? ''} onChange={(event) => pickHost(event.currentTarget.value || null)}>
        <option value="">{words.allHosts}</option>
        {job.hosts.map(({ name, serverName }) => (
          <option value={name}>{serverName}</option>
        ))}
      </select>
      {tasks > 0 && (
        <button onClick={() => log.fold(new Set(folded ? [] : outline.tasks.map((_, task) => task)))}>
          {folded ? words.unfold : words.fold}
        </button>
      )}
      <button aria-pressed={times} onClick={() => setTimes(!times)}>
        {words.times}
      </button>
      {outline.failures.length > 0 && (
        <button class="danger" onClick={() => log.fail(1)}>
          {words.nextFailure(outline.failures.length)}
        </button>
      )}
      <a class="button" href={address(`ansible/jobs/${job.number}/log`)} download={`job-${job.number}.log`}>
        {words.download}
      </a>
      <span class="hint">
        {words.lines(store.lineCount)} · {store.ended ? words.whole : words.live}
      </span>
      <button aria-pressed={log.follow} onClick={() => log.view?.toEnd()}>
        ↓ {words.follow}
      </button>
    </div>
  );
}

function Finds({ log }: { log: JobLog }) {
  const words = useWords().log;
  const { search } = log;
  if (search === null) return null;
  const at = log.line === null ? 0 : search.lines.indexOf(log.line) + 1;
  return (
    <span class="finds" role="status">
      {log.searching ? words.searching : words.finds(at, search.lines.length)} {search.partial && words.unread}
      <button aria-label={words.previous} title={words.previous} onClick={() => log.find(-1)}>
        ↑
      </button>
      <button aria-label={words.next} title={words.next} onClick={() => log.find(1)}>
        ↓
      </button>
    </span>
  );
}

function Notices({ job, log, loadAll }: { job: JobDetailsFragment; log: JobLog; loadAll: () => void }) {
  const words = useWords();
  const { gaps, lost, failed, store } = log.follower;
  return (
    <>
      {gaps > 0 && <p class="hint">{words.link.repaired(gaps)}</p>}
      {(lost || job.logPrunedAt !== null) && <p class="hint">{words.log.pruned}</p>}
      {failed !== null && <Trouble>{failed}</Trouble>}
      {store.firstLine > 1 && (
        <p class="hint">
          {words.log.tail(store.firstLine)} <button onClick={loadAll}>{words.log.fromStart}</button>
        </p>
      )}
      {store.ended && isFinal(job.status) && store.lineCount === 0 && !job.logPrunedAt && <p class="hint">{words.log.none}</p>}
    </>
  );
}
