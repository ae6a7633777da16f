import { CancelDocument, type JobDetailsFragment, RetryDocument } from '../generated/operations';
import { useMutation } from '../state/queries';
import { useIdempotencyKey } from '../state/idempotency-key';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { isFinal } from '../state/job-status';
import { Confirm, Names } from './confirm';
import { DryRun } from './status';

/** What can be done with a job. Each button has a place of its own, also while it is not there. */
export function Actions({ job }: { job: JobDetailsFragment }) {
  return (
    <div class="actions">
      <Cancel job={job} />
      <Again job={job} />
      {job.hosts.length > 1 && <Again job={job} failed />}
    </div>
  );
}

function Cancel({ job }: { job: JobDetailsFragment }) {
  const words = useWords().job;
  const cancel = useMutation(CancelDocument);
  const ended = isFinal(job.status);
  return (
    <Confirm
      label={cancel.busy ? words.canceling : words.cancel}
      danger
      there={!ended}
      title={words.cancelAsk(words.title(job.number, job.recipeName))}
      yes={words.cancelYes(job.number)}
      no={words.cancelNo}
      over={ended ? words.ended : null}
      busy={cancel.busy}
      refusals={cancel.refusals}
      act={async () => (await cancel.go({ input: { jobId: job.id } })) !== null}
    >
      <DryRun of={job.check} />
      <Names of={job.hosts.map(({ serverName }) => serverName)} />
      <p>{job.status === 'PENDING' ? words.cancelWaiting : words.cancelRunning}</p>
    </Confirm>
  );
}

function Again({ job, failed = false }: { job: JobDetailsFragment; failed?: boolean }) {
  const words = useWords().job;
  const retry = useMutation(RetryDocument);
  const once = useIdempotencyKey();
  const hosts = failed ? job.hosts.filter((host) => host.failed + host.unreachable > 0) : job.hosts;
  const act = async (): Promise<boolean> => {
    const input = { jobId: job.id, failedHostsOnly: failed };
    const next = (await retry.go({ input: { ...input, idempotencyKey: once(input) } }))?.retryJob.job;
    if (next) location.hash = href.job(next.number);
    return Boolean(next);
  };
  return (
    <Confirm
      label={failed ? words.retryFailed : words.retry}
      there={!(failed && job.status === 'SUCCESS')}
      disabled={!isFinal(job.status)}
      title={words.retryAsk(words.title(job.number, job.recipeName))}
      yes={words.retryYes(job.number)}
      no={words.retryNo}
      over={null}
      busy={retry.busy}
      refusals={retry.refusals}
      act={act}
    >
      {failed && <p>{words.retryFailedMeaning}</p>}
      {hosts.length > 0 && <Names of={hosts.map(({ serverName }) => serverName)} />}
      <p>
        <DryRun of={job.check} />
        {job.check ? words.retryDry : words.retryReal}
      </p>
      <p class="hint">{words.retryMeaning}</p>
    </Confirm>
  );
}
