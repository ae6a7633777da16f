import { useRef, useState } from 'preact/hooks';
import { JobsChangedDocument } from '../generated/operations';
import type { JobStatus, ServerRowFragment } from '../generated/operations';
import { useOrder } from '../state/order';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { useServers } from '../state/servers';
import { useDebounced, useThrottled } from '../state/debounce';
import { useReconnect, useSubscription } from '../state/subscriptions';
import { Configure, FORM } from './configure';
import { Pending } from './notice';
import { DryRun, Status } from './status';

/** The servers, and what to run on them; a link may have chosen the recipe. */
export function ServersView({ recipe }: { recipe: string | null }) {
  const {
    servers: words,
    common: { more, noneFits },
  } = useWords();
  const [find, setFind] = useState('');
  const wanted = useDebounced(find);
  const [pages, setPages] = useState(1);
  const asked = useServers(wanted, pages);
  const [order, change] = useOrder();
  useNews(asked.again);

  const servers = asked.data?.nodes ?? [];
  const some = servers.length > 0;
  // A search that finds nothing takes nothing away.
  const ever = useRef(order.picked.size > 0);
  ever.current ||= some;
  return (
    <>
      <div class="bar">
        <h1>{words.title}</h1>
        <a class="button" href={href.newServer}>
          {words.add}
        </a>
      </div>
      {ever.current && (
        <Configure {...{ order, change, preset: recipe, shown: servers }}>
          <input type="search" placeholder={words.find} aria-label={words.find} value={find} onInput={(event) => setFind(event.currentTarget.value)} />
          {asked.data && <span class="hint">{words.count(asked.data.total)}</span>}
        </Configure>
      )}
      <Pending of={asked} />
      {asked.data && !some && <p class="hint">{wanted ? noneFits : words.empty}</p>}
      {some && <Table servers={servers} picked={order.picked} pick={(picked) => change({ picked })} />}
      {asked.data?.more && <button onClick={() => setPages(pages + 1)}>{more}</button>}
    </>
  );
}

/** Reads the list again when a job takes another state. */
function useNews(again: () => void): void {
  const soon = useThrottled(again);
  // Progress is told much more often than states, and says nothing here.
  const states = useRef(new Map<string, JobStatus>());
  useSubscription(JobsChangedDocument, {}, ({ jobUpdated: { id, status } }) => {
    if (states.current.get(id) !== status) soon();
    states.current.set(id, status);
  });
  useReconnect(soon);
}

interface TableProps {
  servers: readonly ServerRowFragment[];
  picked: ReadonlySet<string>;
  pick: (picked: ReadonlySet<string>) => void;
}

function Table({ servers, picked, pick }: TableProps) {
  const words = useWords().servers;
  const every = servers.every(({ id }) => picked.has(id));
  const toggle = (id: string): void => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    pick(next);
  };
  // Picks stay while the list shows others.
  const toggleAll = (): void => {
    const next = new Set(picked);
    for (const { id } of servers) {
      if (every) next.delete(id);
      else next.add(id);
    }
    pick(next);
  };
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">
              <input type="checkbox" aria-label={words.all} checked={every} onChange={toggleAll} />
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
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={words.select(server.name)}
          aria-keyshortcuts="Enter"
          checked={picked}
          onChange={toggle}
          onKeyDown={(event) => event.key === 'Enter' && document.querySelector<HTMLElement>(FORM)?.focus()}
        />
      </td>
      <th scope="row" class="name">
        <a href={href.server(server.id)}>{server.name}</a>
      </th>
      <td class="name">
        {server.user}@{server.host}
        {server.port === 22 ? '' : `:${server.port}`}
      </td>
      <td>
        {server.tags.map((tag) => (
          <span class="tag">{tag}</span>
        ))}
      </td>
      <td>
        <LastJob of={server} />
      </td>
    </tr>
  );
}

/** The newest job of a server, and the one that holds it. */
function LastJob({ of: { lockedBy, lastJob } }: { of: ServerRowFragment }) {
  const words = useWords().servers;
  return (
    <>
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
    </>
  );
}
