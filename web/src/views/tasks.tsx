import { useState } from 'preact/hooks';
import type { JobDetailsFragment } from '../generated/operations';
import type { JobLog } from '../state/joblog';
import { useWords } from '../state/playcast';
import { seconds } from './time';

/** Most failures that are listed; the rest is found with "next failure". */
const MOST_FAILURES = 20;

/** What failed, and how long each task took, with the way to its line. */
export function Tasks({ job, log }: { job: JobDetailsFragment; log: JobLog }) {
  const words = useWords().job;
  const { tasks, failures } = log.follower.outline;
  const [open, setOpen] = useState(false);
  const nameOf = (host: string): string => job.hosts.find(({ name }) => name === host)?.serverName ?? host;
  if (tasks.length === 0) return null;
  return (
    <>
      {failures.length > 0 && (
        <ul class="failures" aria-label={words.failures}>
          {failures.slice(0, MOST_FAILURES).map((failure) => (
            <li>
              <button class="link" onClick={() => log.goTo(failure.line)}>
                {nameOf(failure.host)}: {failure.task}
              </button>{' '}
              <span class="hint">{failure.message}</span>
            </li>
          ))}
        </ul>
      )}
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          {words.tasks} ({tasks.length})
        </summary>
        <ol>
          {(open ? tasks : []).map((task) => (
            <li>
              <button class="link" onClick={() => log.goTo(task.line)}>
                {task.name}
              </button>{' '}
              <span class="hint duration">{seconds((task.endedAt - task.startedAt) / 1_000)}</span>
            </li>
          ))}
        </ol>
      </details>
    </>
  );
}
