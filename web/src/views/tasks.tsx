import { useState } from 'preact/hooks';
import type { JobLog } from '../state/job-log';
import { useWords } from '../state/context';
import { seconds } from './time';

/** How long each task took, with the way to its line. */
export function Tasks({ log }: { log: JobLog }) {
  const words = useWords().job;
  const { tasks } = log.follower.outline;
  const [open, setOpen] = useState(false);
  if (tasks.length === 0) return null;
  return (
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
  );
}
