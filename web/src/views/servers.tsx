import { useRef, useState } from 'preact/hooks';
import { JobsChangedDocument, RecipesDocument, RunDocument } from '../generated/operations';
import type { JobStatus, ServerRowFragment } from '../generated/operations';
import { useAsked, useDoing } from '../state/asked';
import { useServers } from '../state/servers';
import { useSettled, useSoon } from '../state/settled';
import { useOnce } from '../state/once';
import { useWords } from '../state/playcast';
import { href } from '../state/route';
import { useComeback, useTold } from '../state/told';
import { NotJson, type Values, variablesOf } from '../state/values';
import { Inputs } from './inputs';
import { Pending, Refusals, Trouble } from './notice';
import { DryRun, Status } from './status';

/** The servers, and what to run on them; a link may have chosen the recipe. */
export function ServersView({ recipe }: { recipe: string | null }) {
  const {
    servers: words,
    common: { more, noneFits },
  } = useWords();
  const [find, setFind] = useState('');
  const wanted = useSettled(find);
  const [pages, setPages] = useState(1);
  const asked = useServers(wanted, pages);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const soon = useSoon(asked.again);
  // Progress is told much more often than states, and says nothing here.
  const states = useRef(new Map<string, JobStatus>());
  useTold(JobsChangedDocument, {}, ({ jobUpdated: { id, status } }) => {
    if (states.current.get(id) !== status) soon();
    states.current.set(id, status);
  });

  useComeback(soon);

  const servers = asked.data?.nodes ?? [];
  const toggle = (id: string): void => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    setPicked(next);
  };
  // Picks stay while the list shows others.
  const toggleAll = (): void => {
    const ids = new Set(servers.map(({ id }) => id));
    const rest = [...picked].filter((id) => !ids.has(id));
    setPicked(new Set(servers.every(({ id }) => picked.has(id)) ? rest : [...rest, ...ids]));
  };
  const hidden = [...picked].filter((id) => !servers.some((server) => server.id === id)).length;
  return (
    <>
      <div class="bar">
        <h1>{words.title}</h1>
        <input type="search" placeholder={words.find} aria-label={words.find} value={find} onInput={(event) => setFind(event.currentTarget.value)} />
        {asked.data && <span class="hint">{words.count(asked.data.total)}</span>}
        <a class="button" href={href.newServer}>
          {words.add}
        </a>
      </div>
      <Pending of={asked} />
      {asked.data && servers.length === 0 && <p class="hint">{wanted ? noneFits : words.empty}</p>}
      {servers.length > 0 && <Table servers={servers} picked={picked} toggle={toggle} toggleAll={toggleAll} />}
      {asked.data?.more && <button onClick={() => setPages(pages + 1)}>{more}</button>}
      {hidden > 0 && <p class="hint">{words.hidden(hidden)}</p>}
      {(servers.length > 0 || hidden > 0) && <Configure key={recipe} picked={[...picked]} preset={recipe} />}
    </>
  );
}

interface TableProps {
  servers: readonly ServerRowFragment[];
  picked: ReadonlySet<string>;
  toggle: (id: string) => void;
  toggleAll: () => void;
}

function Table({ servers, picked, toggle, toggleAll }: TableProps) {
  const words = useWords().servers;
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">
              <input
                type="checkbox"
                aria-label={words.all}
                checked={servers.every(({ id }) => picked.has(id))}
                onChange={toggleAll}
              />
            </th>
            <th scope="col">{words.name}</th>
            <th scope="col">{words.address}</th>
            <th scope="col">{words.tags}</th>
            <th scope="col">{words.last}</th>
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <Row key={server.id} server={server} picked={picked.has(server.id)} toggle={() => toggle(server.id)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ server, picked, toggle }: { server: ServerRowFragment; picked: boolean; toggle: () => void }) {
  const words = useWords().servers;
  const { lockedBy, lastJob } = server;
  return (
    <tr>
      <td>
        <input type="checkbox" aria-label={words.select(server.name)} checked={picked} onChange={toggle} />
      </td>
      <th scope="row">
        <a href={href.server(server.id)}>{server.name}</a>
      </th>
      <td>
        {server.user}@{server.host}
        {server.port === 22 ? '' : `:${server.port}`}
      </td>
      <td>
        {server.tags.map((tag) => (
          <span class="tag">{tag}</span>
        ))}
      </td>
      <td>
        {lastJob && (
          <a href={href.job(lastJob.number)}>
            {lastJob.number} {lastJob.recipeName} <Status of={lastJob} />
          </a>
        )}
        {lockedBy && lockedBy.number !== lastJob?.number && (
          <a class="hint" href={href.job(lockedBy.number)}>
            {' '}
            {words.busy(lockedBy.number)} <DryRun of={lockedBy.check} />
          </a>
        )}
      </td>
    </tr>
  );
}

/** Choose a recipe and start it on the picked servers. */
function Configure({ picked, preset }: { picked: readonly string[]; preset: string | null }) {
  const words = useWords().servers;
  const asked = useAsked(RecipesDocument, {});
  const doing = useDoing(RunDocument);
  const once = useOnce();
  const [name, setName] = useState(preset);
  const [values, setValues] = useState<Values>({});
  const [check, setCheck] = useState(false);
  const [diff, setDiff] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const recipes = asked.data?.recipes ?? [];
  const recipe = recipes.find((one) => one.name === name) ?? recipes[0];
  if (recipe === undefined) return asked.data ? <p class="hint">{words.noRecipes}</p> : <Pending of={asked} />;

  const go = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    let given: Record<string, unknown>;
    try {
      given = variablesOf(recipe.inputs, values);
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      return setProblem(`${error.message}: ${words.notJson}`);
    }
    if (picked.length === 0) return setProblem(words.pick);
    setProblem(null);
    const extraVars = Object.keys(given).length > 0 ? given : null;
    const input = { recipe: recipe.name, serverIds: [...picked], extraVars, check, diff };
    const answer = await doing.go({ input: { ...input, idempotencyKey: once.key(input) } });
    const job = answer?.runProvision.job;
    if (!job) return undefined;
    once.done();
    return void (location.hash = href.job(job.number));
  };
  return (
    <form class="card" onSubmit={(event) => void go(event)}>
      <div class="bar">
        <span>
          <label class="inline" for="recipe">
            {words.recipe}
          </label>{' '}
          <select id="recipe" value={recipe.name} onChange={(event) => (setName(event.currentTarget.value), setValues({}))}>
            {recipes.map((one) => (
              <option>{one.name}</option>
            ))}
          </select>
        </span>
        <label class="inline">
          <input type="checkbox" checked={check} onChange={() => setCheck(!check)} /> {words.check}
        </label>
        <label class="inline">
          <input type="checkbox" checked={diff} onChange={() => setDiff(!diff)} /> {words.diff}
        </label>
        <button class="main" disabled={doing.busy || picked.length === 0}>
          {words.go(picked.length)}
        </button>
      </div>
      {recipe.description && <p class="hint">{recipe.description}</p>}
      <Inputs of={recipe.inputs} values={values} change={setValues} />
      {problem !== null ? <Trouble>{problem}</Trouble> : <Refusals of={doing.refusals} />}
    </form>
  );
}
