import type { Draft, Login as Kind } from '../state/draft';
import { useWords } from '../state/context';

const KINDS: readonly Kind[] = ['password', 'privateKey', 'keyFile', 'local'];

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  known: boolean;
}

/** How Playcast logs in. A stored secret never comes back, it can only be replaced. */
export function Login({ draft, set, known }: Props) {
  const words = useWords().server;
  return (
    <fieldset>
      <legend>{words.credential}</legend>
      <div class="choices">
        {(known ? (['keep', ...KINDS] as const) : KINDS).map((kind) => (
        <label class="inline">
          <input type="radio" name="login" checked={draft.login === kind} onChange={() => set({ login: kind, secret: '' })} /> {words[kind]}
        </label>
        ))}
      </div>
      <Secret draft={draft} set={set} />
    </fieldset>
  );
}

function Secret({ draft, set }: Omit<Props, 'known'>) {
  const words = useWords().server;
  if (draft.login === 'keep' || draft.login === 'local') return null;
  const common = {
    'aria-label': words[draft.login],
    required: true,
    value: draft.secret,
    onInput: (event: { currentTarget: { value: string } }) => set({ secret: event.currentTarget.value }),
  };
  if (draft.login === 'password') return <input type="password" autocomplete="new-password" {...common} />;
  if (draft.login === 'keyFile') return <input placeholder="deploy_ed25519" {...common} />;
  return <textarea rows={5} spellcheck={false} autocomplete="off" placeholder="-----BEGIN OPENSSH PRIVATE KEY-----" {...common} />;
}
