import { useState } from 'preact/hooks';
import { signIn } from '../api/ask';
import { useWords } from '../state/context';
import { Trouble } from './notice';

/** Takes the token once. It is kept by the browser in a cookie, not by the page. */
export function SignIn({ done }: { done: () => void }) {
  const words = useWords();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const go = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget as HTMLFormElement).get('token'));
    setBusy(true);
    try {
      if (await signIn(token.trim())) done();
      else setProblem(words.signIn.wrong);
    } catch {
      setProblem(words.common.trouble);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card narrow" onSubmit={(event) => void go(event)}>
      <h1>{words.signIn.title}</h1>
      <label>
        {words.signIn.token}
        <input name="token" type="password" autocomplete="current-password" required autofocus />
      </label>
      <p class="hint">{words.signIn.hint}</p>
      {problem !== null && <Trouble>{problem}</Trouble>}
      <button class="main" disabled={busy}>
        {words.signIn.go}
      </button>
    </form>
  );
}
