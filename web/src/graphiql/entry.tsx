import { useEffect, useState } from 'preact/hooks';
import { address, ask } from '../api/ask';
import type { Socket } from '../api/socket';
import { ViewerDocument } from '../generated/operations';
import { Context } from '../state/context';
import { SignIn } from '../views/sign-in';
import { LANGUAGES, preferred, remembered } from '../words/language';

/** Whether the server has sent the browser here from GraphiQL, to sign in and come back. */
export function leadsToGraphiQL(search: string): boolean {
  return new URLSearchParams(search).get('then') === 'graphql';
}

function enter(): void {
  location.replace(address('graphql'));
}

/** Signs in, and goes on to GraphiQL. A link from another site brings no cookie along, so there may be one already. */
export function SignInForGraphiQL({ socket }: { socket: Socket }) {
  const [locked, setLocked] = useState(false);
  const language = preferred(remembered(), navigator.languages);
  const words = LANGUAGES[language];
  useEffect(() => {
    document.documentElement.lang = language;
    ask(ViewerDocument, {}).then(enter, () => setLocked(true));
  }, []);
  return (
    <Context.Provider value={{ socket, words, language, locale: language, lock: () => setLocked(true), kept: new Map() }}>
      <header class="top">
        <strong>Playcast</strong>
      </header>
      <main tabIndex={-1}>{locked && <SignIn done={enter} />}</main>
    </Context.Provider>
  );
}
