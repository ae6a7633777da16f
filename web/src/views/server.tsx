import { useState } from 'preact/hooks';
import {
  CreateServerDocument,
  DeleteServerDocument,
  ServerDocument,
  type ServerDetailsFragment,
  UpdateServerDocument,
} from '../generated/operations';
import { useQuery, useMutation } from '../state/queries';
import { firstOnly } from '../state/clicks';
import { type Draft, draftOf, inputOf } from '../state/draft';
import { useOrder } from '../state/order';
import { useWords } from '../state/context';
import { href } from '../state/route';
import { NotJson } from '../state/values';
import { Confirm } from './confirm';
import { Jobs } from './jobs';
import { Login } from './login';
import { Pending, Refusals, Trouble } from './notice';

/** Add a server, or change one and see its jobs. */
export function ServerView({ id }: { id: string | null }) {
  return id === null ? <ServerForm server={null} /> : <KnownServer id={id} />;
}

function KnownServer({ id }: { id: string }) {
  const words = useWords();
  const asked = useQuery(ServerDocument, { id });
  const server = asked.data?.server;
  if (!server) return asked.data ? <p class="hint">{words.common.none_found}</p> : <Pending of={asked} />;
  return (
    <>
      <ServerForm server={server} />
      <h2>{words.jobs.title}</h2>
      {/* An address may hold the bare number, but what is told of jobs holds the id. */}
      <Jobs filter={{ serverId: server.id }} />
    </>
  );
}

function ServerForm({ server }: { server: ServerDetailsFragment | null }) {
  const words = useWords();
  const [draft, setDraft] = useState(() => draftOf(server));
  const { save, busy, problem, refusals } = useSaving(server, draft);
  const set = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });
  return (
    <form class="card" onSubmit={(event) => void save(event)}>
      <h1>{server === null ? words.server.add : words.servers.edit(server.name)}</h1>
      <Where draft={draft} set={set} />
      <Login draft={draft} set={set} known={server !== null} />
      <HostKey draft={draft} set={set} server={server} />
      <label>
        {words.server.variables}
        <textarea
          rows={3}
          spellcheck={false}
          placeholder={'{"app_port": 8080}'}
          value={draft.variables}
          onInput={(event) => set({ variables: event.currentTarget.value })}
        />
      </label>
      {problem !== null ? <Trouble>{problem}</Trouble> : <Refusals of={refusals} />}
      <div class="actions">
        <button class="main" disabled={busy} onClick={firstOnly}>
          {words.common.save}
        </button>
        <a class="button" href={href.servers}>
          {words.common.back}
        </a>
        {server !== null && <Remove server={server} />}
      </div>
    </form>
  );
}

/** Stores a draft as a new server, or as what a known one becomes. */
function useSaving(server: ServerDetailsFragment | null, draft: Draft) {
  const words = useWords();
  const [problem, setProblem] = useState<string | null>(null);
  const create = useMutation(CreateServerDocument);
  const update = useMutation(UpdateServerDocument);
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setProblem(null);
    try {
      const { credential, ...input } = inputOf(draft);
      const saved =
        server !== null
          ? await update.go({ input: { ...input, ...(credential && { credential }), id: server.id, forgetHostKey: draft.forgetHostKey } })
          : credential && (await create.go({ input: { ...input, credential } }));
      if (saved) location.hash = href.servers;
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      setProblem(`${words.server.variables}: ${words.servers.notJson}`);
    }
  };
  return { save, problem, busy: create.busy || update.busy, refusals: [...create.refusals, ...update.refusals] };
}

interface Part {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
}

function Where({ draft, set }: Part) {
  const words = useWords();
  return (
    <div class="fields">
      <label>
        {words.servers.name}
        <input required maxLength={64} value={draft.name} onInput={(event) => set({ name: event.currentTarget.value })} />
      </label>
      <label>
        {words.server.host}
        <input required value={draft.host} onInput={(event) => set({ host: event.currentTarget.value })} />
      </label>
      <label>
        {words.server.port}
        <input type="number" required min={1} max={65535} value={draft.port} onInput={(event) => set({ port: event.currentTarget.value })} />
      </label>
      <label>
        {words.server.user}
        <input required autocomplete="off" value={draft.user} onInput={(event) => set({ user: event.currentTarget.value })} />
      </label>
      <label>
        {words.server.tags}
        <input value={draft.tags} onInput={(event) => set({ tags: event.currentTarget.value })} />
      </label>
    </div>
  );
}

function HostKey({ draft, set, server }: Part & { server: ServerDetailsFragment | null }) {
  const words = useWords().server;
  if (draft.login === 'local' || (draft.login === 'keep' && server?.auth === 'LOCAL')) return null;
  return (
    <>
      {server !== null && (
        <p>
          {words.fingerprint}: <code>{server.hostKeyFingerprint ?? words.noFingerprint}</code>
        </p>
      )}
      {server?.hostKeyFingerprint && (
        <p>
          <label class="inline">
            <input type="checkbox" checked={draft.forgetHostKey} onChange={() => set({ forgetHostKey: !draft.forgetHostKey })} /> {words.forget}
          </label>
        </p>
      )}
      <p>
        <label class="inline">
          <input type="checkbox" checked={draft.strictHostKey} onChange={() => set({ strictHostKey: !draft.strictHostKey })} /> {words.strict}
        </label>
        {!draft.strictHostKey && <strong class="warn"> {words.loose}</strong>}
      </p>
    </>
  );
}

function Remove({ server }: { server: ServerDetailsFragment }) {
  const words = useWords().server;
  const remove = useMutation(DeleteServerDocument);
  const [{ picked }, change] = useOrder();
  const act = async (): Promise<boolean> => {
    if ((await remove.go({ input: { id: server.id } })) === null) return false;
    change({ picked: new Set([...picked].filter((id) => id !== server.id)) });
    location.hash = href.servers;
    return true;
  };
  return (
    <Confirm
      label={words.remove}
      danger
      there
      title={words.confirm(server.name)}
      yes={words.removeIt(server.name)}
      no={words.keepIt}
      over={null}
      busy={remove.busy}
      refusals={remove.refusals}
      act={act}
    >
      <p>{words.meaning}</p>
    </Confirm>
  );
}
