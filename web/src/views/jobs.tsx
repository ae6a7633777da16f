import { useEffect, useState } from 'preact/hooks';
import { type JobFilter, type JobRowFragment, JobsChangedDocument, JobsDocument, type JobStatus, RecipesDocument } from '../generated/operations';
import { useQuery } from '../state/queries';
import { JobList } from '../state/job-list';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { useDebounced } from '../state/debounce';
import { useReconnect, useSubscription } from '../state/subscriptions';
import { Pending } from './notice';
import { Status } from './status';
import { Duration, Instant } from './time';

const STATES: readonly JobStatus[] = ['PENDING', 'RUNNING', 'SUCCESS', 'ERROR', 'CANCELED'];
const PAGE = 50;

export function JobsView() {
  const words = useWords();
  const [status, setStatus] = useState<JobStatus | ''>('');
  const [recipe, setRecipe] = useState('');
  const wanted = useDebounced(recipe.trim());
  const recipes = useQuery(RecipesDocument, {}).data?.recipes ?? [];
  const filter: JobFilter = { ...(status && { status: [status] }), ...(wanted && { recipe: wanted }) };
  return (
    <>
      <div class="bar">
        <h1>{words.jobs.title}</h1>
        <span>
          <label class="inline" for="status">
            {words.jobs.status}
          </label>{' '}
          <select id="status" value={status} onChange={(event) => setStatus(event.currentTarget.value as JobStatus | '')}>
            <option value="">{words.jobs.any}</option>
            {STATES.map((one) => (
              <option value={one}>{words.status[one].word}</option>
            ))}
          </select>
        </span>
        <label class="inline">
          {words.jobs.recipe}{' '}
          <input type="search" list="known-recipes" value={recipe} onInput={(event) => setRecipe(event.currentTarget.value)} />
        </label>
        <datalist id="known-recipes">
          {recipes.map(({ name }) => (
            <option value={name} />
          ))}
        </datalist>
      </div>
      <Jobs key={JSON.stringify(filter)} filter={filter} none={status || wanted ? words.common.noneFits : words.jobs.empty} />
    </>
  );
}

/** The jobs that fit, newest first, kept up to date. */
export function Jobs({ filter, none }: { filter: JobFilter; none?: string }) {
  const words = useWords();
  const [list, setList] = useState(() => new JobList(filter));
  const [after, setAfter] = useState<string | null>(null);
  const asked = useQuery(JobsDocument, { first: PAGE, after, filter });
  useSubscription(JobsChangedDocument, {}, ({ jobUpdated }) => setList((before) => before.changed(jobUpdated)));
  useEffect(() => {
    if (asked.data) setList((before) => before.found(asked.data?.jobs.nodes ?? []));
  }, [asked.data]);
  useReconnect(() => {
    // The newest jobs, of which some may have ended.
    setAfter(null);
    asked.again();
  });
  const page = asked.data?.jobs.pageInfo;
  return (
    <>
      {list.jobs.length > 0 && <Table jobs={list.jobs} />}
      <Pending of={asked} />
      {asked.data && list.jobs.length === 0 && <p class="hint">{none ?? words.jobs.empty}</p>}
      {page?.hasNextPage && <button onClick={() => setAfter(page.endCursor)}>{words.common.more}</button>}
    </>
  );
}

function Table({ jobs }: { jobs: readonly JobRowFragment[] }) {
  const words = useWords().jobs;
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">{words.number}</th>
            <th scope="col">{words.recipe}</th>
            <th scope="col">{words.status}</th>
            <th scope="col">{words.servers}</th>
            <th scope="col">{words.by}</th>
            <th scope="col">{words.created}</th>
            <th scope="col">{words.took}</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row key={job.id} job={job} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ job }: { job: JobRowFragment }) {
  return (
    <tr>
      <th scope="row">
        <a href={href.job(job.number)}>{job.number}</a>
      </th>
      <td class="name">
        <a href={href.recipe(job.recipeName)}>{job.recipeName}</a>
      </td>
      <td>
        <Status of={job} />
        {job.status === 'RUNNING' && job.progress !== null && <progress value={job.progress} aria-label={String(job.number)} />}
      </td>
      <td class="name">{namesOf(job.servers)}</td>
      <td>{job.requestedBy}</td>
      <td>
        <Instant at={job.createdAt} />
      </td>
      <td>
        <Duration from={job.startedAt} to={job.endedAt} known={job.duration} />
      </td>
    </tr>
  );
}

function namesOf(servers: readonly { name: string }[]): string {
  const shown = servers.slice(0, 3).map(({ name }) => name);
  return servers.length > 3 ? `${shown.join(', ')}, +${servers.length - 3}` : shown.join(', ');
}
