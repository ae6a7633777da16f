import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import { address } from '../api/ask';
import type { NameOf } from '../log/causes';
import type { JobDetailsFragment } from '../generated/operations';
import type { JobLog } from '../state/job-log';
import { useKeys } from '../state/keys';
import { useWords } from '../state/context';
import { isFinal } from '../state/job-status';
import { LinePanel } from './line-panel';
import { Trouble } from './notice';
import { Tasks } from './tasks';

/** What the reader chose of a log. */
export interface Choices {
  text: string;
  /** Read a long log from its start. */
  all: boolean;
  times: boolean;
  host: string | null;
}

interface Props {
  job: JobDetailsFragment;
  log: JobLog;
  room: RefObject<HTMLDivElement | null>;
  nameOf: NameOf;
  chosen: Choices;
  choose: (change: Partial<Choices>) => void;
}

export function LogPane({ job, log, room, nameOf, chosen, choose }: Props) {
  const words = useWords().log;
  const box = useRef<HTMLInputElement>(null);
  useKeys(log, box);
  const click = (event: MouseEvent): void => {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('.row');
    if (row === null || target.closest('a') !== null || getSelection()?.type === 'Range') return;
    log.open(Number(row.dataset['line']));
  };
  return (
    <section class="logpane" aria-label={words.title}>
      <Tasks log={log} />
      <div class="bar tools">
        <input
          ref={box}
          type="search"
          placeholder={words.search}
          aria-label={words.search}
          value={chosen.text}
          onInput={(event) => choose({ text: event.currentTarget.value })}
          onKeyDown={(event) => event.key === 'Enter' && log.find(event.shiftKey ? -1 : 1)}
        />
        <Finds job={job} log={log} />
        <Tools job={job} log={log} chosen={chosen} choose={choose} />
      </div>
      <Notices job={job} log={log} loadAll={() => choose({ all: true })} />
      <div class="split">
        <div class="log" role="log" aria-live="off" aria-label={words.title} title={words.keys} tabIndex={0} ref={room} onClick={click} />
        {log.opened !== null && <LinePanel follower={log.follower} line={log.opened} nameOf={nameOf} close={log.close} />}
      </div>
    </section>
  );
}

function Tools({ job, log, chosen, choose }: Pick<Props, 'job' | 'log' | 'chosen' | 'choose'>) {
  const words = useWords().log;
  const { store } = log.follower;
  return (
    <>
      <select aria-label={words.host} value={chosen.host ?? ''} onChange={(event) => choose({ host: event.currentTarget.value || null })}>
        <option value="">{words.allHosts}</option>
        {job.hosts.map(({ name, serverName }) => (
          <option value={name}>{serverName}</option>
        ))}
      </select>
      <Fold log={log} />
      <button aria-pressed={chosen.times} onClick={() => choose({ times: !chosen.times })}>
        {words.times}
      </button>
      {log.failures > 0 && (
        <button class="danger" onClick={() => log.fail(1)}>
          {words.nextFailure(log.failures)}
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
    </>
  );
}

function Fold({ log }: { log: JobLog }) {
  const words = useWords().log;
  const { tasks } = log.follower.outline;
  const folded = log.folded.size > 0;
  return tasks.length === 0 ? null : (
    <button onClick={() => log.fold(new Set(folded ? [] : tasks.map((_, task) => task)))}>{folded ? words.unfold : words.fold}</button>
  );
}

function Finds({ job, log }: Pick<Props, 'job' | 'log'>) {
  const words = useWords().log;
  const { search, finds } = log;
  if (search === null) return null;
  const at = log.line === null ? 0 : finds.indexOf(log.line) + 1;
  // The log is searched as ansible wrote it.
  const sought = job.hosts.find(({ name, serverName }) => name !== serverName && serverName.toLowerCase() === search.text.toLowerCase());
  return (
    <span class="finds" role="status">
      {log.searching ? words.searching : words.finds(at, finds.length)} {search.partial && words.unread}
      {sought && words.calledHere(sought.serverName, sought.name)}
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
