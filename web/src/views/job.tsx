import { useEffect, useState } from 'preact/hooks';
import { CancelDocument, JobChangedDocument, type JobDetailsFragment, JobDocument, RetryDocument } from '../generated/operations';
import { useAsked, useDoing } from '../state/asked';
import { useOnce } from '../state/once';
import { useWords } from '../state/playcast';
import { href } from '../state/route';
import { isFinal } from '../state/stage';
import { useTold } from '../state/told';
import { Hosts } from './hosts';
import { LogPane } from './logpane';
import { Pending, Refusals } from './notice';
import { DryRun, Status } from './status';
import { Duration, Instant } from './time';

export function JobView({ number, line }: { number: number; line: number | null }) {
  const words = useWords();
  const id = String(number);
  const asked = useAsked(JobDocument, { id });
  const [told, setTold] = useState<JobDetailsFragment | null>(null);
  const job = told ?? asked.data?.job ?? null;
  useTold(JobChangedDocument, { ids: [id] }, ({ jobUpdated }) => setTold(jobUpdated), job !== null && !isFinal(job.status));
  useTitle(job);
  const [host, setHost] = useState<string | null>(null);

  if (job === null) {
    return asked.data ? <p class="hint">{words.common.none_found}</p> : <Pending of={asked} />;
  }
  return (
    <div class="jobview">
      <Head job={job} />
      <Hosts job={job} picked={host} pick={setHost} />
      <LogPane job={job} line={line} host={host} pickHost={setHost} />
    </div>
  );
}

/** The tab says how the job stands. */
function useTitle(job: JobDetailsFragment | null): void {
  const words = useWords();
  useEffect(() => {
    if (job === null) return undefined;
    const dry = job.check ? ` · ${words.common.dryRun}` : '';
    document.title = `${words.status[job.status].icon} ${words.job.title(job.number, job.recipeName)}${dry}`;
    return () => void (document.title = words.common.page);
  }, [job?.status, job?.number, words]);
}

function Head({ job }: { job: JobDetailsFragment }) {
  const words = useWords();
  const running = job.status === 'RUNNING';
  return (
    <div class="head">
      <div class="bar">
        <h1>{words.job.title(job.number, job.recipeName)}</h1>
        <p class="big" role="status">
          <Status of={job} />
        </p>
        {running && job.progress !== null && <Progress value={job.progress} />}
        <Duration from={job.startedAt} to={job.endedAt} known={job.duration} />
        <Actions job={job} />
      </div>
      <p class="hint">
        {words.jobs.by} {job.requestedBy} · <Instant at={job.createdAt} />
        {job.retryOf && (
          <>
            {' · '}
            <a href={href.job(job.retryOf.number)}>{words.job.retryOf(job.retryOf.number)}</a> <DryRun of={job.retryOf.check} />
          </>
        )}
        {job.extraVars !== null && (
          <>
            {' · '}
            {words.job.variables} <code>{JSON.stringify(job.extraVars)}</code>
          </>
        )}
      </p>
      {job.message !== null && <p class={job.status === 'ERROR' ? 'trouble' : 'hint'}>{job.message}</p>}
      {job.waitingFor.length > 0 && (
        <p class="hint">
          {words.job.waits}{' '}
          {job.waitingFor.map((other) => (
            <>
              <a href={href.job(other.number)}>{words.job.title(other.number, other.recipeName)}</a> <DryRun of={other.check} />
            </>
          ))}
        </p>
      )}
    </div>
  );
}

function Progress({ value }: { value: number }) {
  const words = useWords().job;
  return (
    <>
      <progress value={value} aria-label={words.progress} /> <span class="duration">{Math.floor(value * 100)} %</span>
    </>
  );
}

function Actions({ job }: { job: JobDetailsFragment }) {
  const words = useWords().job;
  const cancel = useDoing(CancelDocument);
  const retry = useDoing(RetryDocument);
  const once = useOnce();
  const again = async (failedHostsOnly: boolean): Promise<void> => {
    const input = { jobId: job.id, failedHostsOnly };
    const answer = await retry.go({ input: { ...input, idempotencyKey: once(input) } });
    const next = answer?.retryJob.job;
    if (next) location.hash = href.job(next.number);
  };
  return (
    <div class="actions">
      {!isFinal(job.status) && (
        <button class="danger" disabled={cancel.busy} onClick={() => void cancel.go({ input: { jobId: job.id } })}>
          {words.cancel}
        </button>
      )}
      {isFinal(job.status) && (
        <button disabled={retry.busy} onClick={() => void again(false)}>
          {words.retry}
        </button>
      )}
      {isFinal(job.status) && job.status !== 'SUCCESS' && job.hosts.length > 1 && (
        <button disabled={retry.busy} onClick={() => void again(true)}>
          {words.retryFailed}
        </button>
      )}
      <Refusals of={[...cancel.refusals, ...retry.refusals]} />
    </div>
  );
}
