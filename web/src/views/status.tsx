import type { JobFailureReason, JobStatus } from '../generated/operations';
import { useWords } from '../state/context';

interface Job {
  status: JobStatus;
  check: boolean;
  failureReason?: JobFailureReason | null;
}

/** How a job stands: a word and an icon, and for an error its reason, never a colour alone. A dry run never looks like a real one. */
export function Status({ of: { status, check, failureReason } }: { of: Job }) {
  const words = useWords();
  const { icon, word } = words.status[status];
  return (
    <>
      <DryRun of={check} />
      <span class={`status ${status.toLowerCase()}`}>
        {word}{' '}
        <span class="icon" aria-hidden="true">
          {icon}
        </span>
        {failureReason ? <span class="reason"> {words.reason[failureReason]}</span> : null}
      </span>
    </>
  );
}

/** The mark of a dry run, by word and shape. */
export function DryRun({ of }: { of: boolean }) {
  const words = useWords().common;
  return of ? <><span class="dry">{words.dryRun}</span> </> : null;
}
