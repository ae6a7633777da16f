import { useState } from 'preact/hooks';
import type { JobDetailsFragment } from '../generated/operations';
import { useWords } from '../state/context';
import { isFinal } from '../state/job-status';

const COUNTS = ['ok', 'changed', 'failed', 'unreachable', 'skipped', 'rescued', 'ignored'] as const;
const BAD: ReadonlySet<string> = new Set(['failed', 'unreachable']);
/** Rows that fit without scrolling. */
const FIT = 7;

type Host = JobDetailsFragment['hosts'][number];

interface Props {
  job: JobDetailsFragment;
  picked: string | null;
  pick: (host: string | null) => void;
}

/** The recap of a job, live. A server's name leaves only its lines in the log. */
export function Hosts({ job, picked, pick }: Props) {
  const words = useWords().job;
  const [all, setAll] = useState(false);
  const bad = (host: Host): number => Number(host.failed + host.unreachable > 0);
  // While it runs, the rows stay where they are.
  const hosts = isFinal(job.status) ? [...job.hosts].sort((one, other) => bad(other) - bad(one)) : job.hosts;
  return (
    <>
      <div class={`wide hosts ${all ? 'all' : ''}`}>
        <table>
          <caption class="unseen">{words.hosts}</caption>
          <thead>
            <tr>
              <th scope="col">{words.host}</th>
              {COUNTS.map((count) => (
                <th scope="col" class="number">
                  {words[count]}
                </th>
              ))}
              <th scope="col">{words.task}</th>
            </tr>
          </thead>
          <tbody>
            {hosts.map((host) => (
              <Row key={host.id} host={host} picked={picked === host.name} pick={pick} />
            ))}
          </tbody>
        </table>
      </div>
      {hosts.length > FIT && (
        <p>
          <button aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? words.fewer : words.showAll(hosts.length)}
          </button>
        </p>
      )}
    </>
  );
}

function Row({ host, picked, pick }: { host: Host; picked: boolean; pick: (host: string | null) => void }) {
  const words = useWords().job;
  return (
    <tr>
      <th scope="row" class="name">
        <button class="link" aria-pressed={picked} title={words.onlyHost(host.serverName)} onClick={() => pick(picked ? null : host.name)}>
          {host.serverName}
        </button>{' '}
        {host.name !== host.serverName && <span class="hint">{host.name}</span>}
      </th>
      {COUNTS.map((count) => (
        <td class={`number ${host[count] === 0 ? 'zero' : BAD.has(count) ? 'bad' : count}`}>{host[count]}</td>
      ))}
      <td class="task name">{host.currentTask}</td>
    </tr>
  );
}
