import type { JobFailureReason, JobStatus } from '../generated/operations';
import { useWords } from '../state/playcast';

/** How a job stands: a word and an icon, and for an error its reason. Never a colour alone. */
export function Status({ status, reason }: { status: JobStatus; reason?: JobFailureReason | null }) {
  const words = useWords();
  const { icon, word } = words.status[status];
  return (
    <span class={`status ${status.toLowerCase()}`}>
      {word}{' '}
      <span class="icon" aria-hidden="true">
        {icon}
      </span>
      {reason ? <span class="reason"> {words.reason[reason]}</span> : null}
    </span>
  );
}
