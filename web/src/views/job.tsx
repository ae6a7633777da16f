import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { JobChangedDocument, type JobDetailsFragment, JobDocument } from '../generated/operations';
import { beyond, causes, type NameOf } from '../log/causes';
import { useQuery } from '../state/queries';
import { useJobLog } from '../state/job-log';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { isFinal } from '../state/job-status';
import { useSubscription } from '../state/subscriptions';
import { Failures } from './failures';
import { Hosts } from './hosts';
import { Actions } from './job-actions';
import { type Choices, LogPane } from './log-pane';
import { Pending } from './notice';
import { DryRun, Status } from './status';
import { Duration, Instant } from './time';

export function JobView({ number, line }: { number: number; line: number | null }) {
  const words = useWords();
  const id = String(number);
  const asked = useQuery(JobDocument, { id });
  const [told, setTold] = useState<JobDetailsFragment | null>(null);
  const job = told ?? asked.data?.job ?? null;
  useSubscription(JobChangedDocument, { ids: [id] }, ({ jobUpdated }) => setTold(jobUpdated), job !== null && !isFinal(job.status));
  useTitle(job);
  if (job !== null) return <KnownJob job={job} line={line} />;
  return asked.data ? <p class="hint">{words.common.none_found}</p> : <Pending of={asked} />;
}

function KnownJob({ job, line }: { job: JobDetailsFragment; line: number | null }) {
  const room = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState<Choices>({ text: '', all: false, times: false, host: null });
  const choose = (change: Partial<Choices>): void => setChosen((before) => ({ ...before, ...change }));
  const names = useNames(job);
  const nameOf: NameOf = (host) => names.get(host) ?? host;
  const log = useJobLog(room, {
    ...chosen,
    job,
    line,
    names,
    readAll: () => choose({ all: true }),
    anyHost: () => choose({ host: null }),
  });
  // What is looked for may be anywhere, so a search needs the part as well that was left out.
  if (chosen.text !== '' && !chosen.all && log.follower.store.firstLine > 1) choose({ all: true });
  const { failures } = log.follower.outline;
  const found = useMemo(() => causes(failures, job.hosts.map(({ name }) => name), nameOf), [failures.length, names]);
  return (
    <div class="jobview">
      <Head job={job} message={beyond(job.message, found)}>
        <Failures causes={found} nameOf={nameOf} goTo={log.show} />
      </Head>
      <Hosts job={job} picked={chosen.host} pick={(host) => choose({ host })} />
      <LogPane {...{ job, log, room, nameOf, chosen, choose }} />
    </div>
  );
}

/** What people call the hosts that have another name in the log. */
function useNames({ hosts }: JobDetailsFragment): ReadonlyMap<string, string> {
  const pairs = hosts.flatMap(({ name, serverName }) => (name === serverName ? [] : [[name, serverName] as const]));
  return useMemo(() => new Map(pairs), [JSON.stringify(pairs)]);
}

/** The tab says how the job stands. */
function useTitle(job: JobDetailsFragment | null): void {
  const words = useWords();
  // With the page itself: a tab never shows one job while the page shows another.
  useLayoutEffect(() => {
    if (job === null) return undefined;
    const dry = job.check ? ` · ${words.common.dryRun}` : '';
    document.title = `${words.status[job.status].icon} ${words.job.title(job.number, job.recipeName)}${dry}`;
    return () => void (document.title = words.common.page);
  }, [job?.status, job?.number, words]);
}

function Head({ job, message, children }: { job: JobDetailsFragment; message: string | null; children: ComponentChildren }) {
  const words = useWords();
  return (
    <div class="head">
      <div class="bar">
        <h1>{words.job.title(job.number, job.recipeName)}</h1>
        <p class="big" role="status">
          <Status of={job} />
        </p>
        {job.status === 'RUNNING' && job.progress !== null && <Progress value={job.progress} />}
        <Duration from={job.startedAt} to={job.endedAt} known={job.duration} />
        <Actions job={job} />
      </div>
      <About job={job} />
      {message !== null && <p class={job.status === 'ERROR' ? 'trouble' : 'hint'}>{message}</p>}
      {children}
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

/** Who asked for it, when, and with what. */
function About({ job }: { job: JobDetailsFragment }) {
  const words = useWords();
  return (
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
