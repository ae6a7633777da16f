import type { JobDetailsFragment } from '../generated/operations';
import { useWords } from '../state/playcast';

const COUNTS = ['ok', 'changed', 'failed', 'unreachable', 'skipped', 'rescued', 'ignored'] as const;
const BAD: ReadonlySet<string> = new Set(['failed', 'unreachable']);

interface Props {
  job: JobDetailsFragment;
  picked: string | null;
  pick: (host: string | null) => void;
}

/** The recap of a job, live. A server's name leaves only its lines in the log. */
export function Hosts({ job, picked, pick }: Props) {
  const words = useWords().job;
  return (
    <div class="wide hosts">
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
          {job.hosts.map((host) => (
            <tr key={host.id}>
              <th scope="row">
                <button
                  class="link"
                  aria-pressed={picked === host.name}
                  title={words.onlyHost(host.serverName)}
                  onClick={() => pick(picked === host.name ? null : host.name)}
                >
                  {host.serverName}
                </button>{' '}
                <span class="hint">{host.name}</span>
              </th>
              {COUNTS.map((count) => (
                <td class={`number ${host[count] === 0 ? 'zero' : BAD.has(count) ? 'bad' : count}`}>{host[count]}</td>
              ))}
              <td class="task">{host.currentTask}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
