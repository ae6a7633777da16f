import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Socket } from '../api/socket';
import { signOut } from '../api/ask';
import { ViewerDocument } from '../generated/operations';
import { useQuery } from '../state/queries';
import { Context, usePlaycast } from '../state/context';
import { href, useRoute } from '../state/route';
import { useLink } from '../state/subscriptions';
import { type Language, LANGUAGES, localeOf, preferred, remember, remembered } from '../words/language';
import { JobView } from './job';
import { JobsView } from './jobs';
import { RecipesView, RecipeView } from './recipes';
import { ServerView } from './server';
import { ServersView } from './servers';
import { SignIn } from './sign-in';

export function App({ socket }: { socket: Socket }) {
  const [language, setLanguage] = useState<Language>(() => preferred(remembered(), navigator.languages));
  const [locked, setLocked] = useState(false);
  const lock = useCallback(() => setLocked(true), []);
  const words = LANGUAGES[language];
  const kept = useMemo(() => new Map<string, unknown>(), []);
  const playcast = useMemo(
    () => ({ socket, words, language, locale: localeOf(language, navigator.languages), lock, kept }),
    [socket, language],
  );

  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => socket.listen(() => socket.link === 'refused' && lock()), [socket]);

  const choose = (next: Language): void => {
    remember(next);
    setLanguage(next);
  };
  return (
    <Context.Provider value={playcast}>
      <Top choose={choose} locked={locked} lock={lock} />
      <main tabIndex={-1}>{locked ? <SignIn done={() => setLocked(false)} /> : <Place />}</main>
    </Context.Provider>
  );
}

function Top({ choose, locked, lock }: { choose: (next: Language) => void; locked: boolean; lock: () => void }) {
  const { words, language } = usePlaycast();
  const { view } = useRoute();
  const links = [
    { to: href.servers, word: words.nav.servers, views: ['servers', 'server'] },
    { to: href.jobs, word: words.nav.jobs, views: ['jobs', 'job'] },
    { to: href.recipes, word: words.nav.recipes, views: ['recipes', 'recipe'] },
  ];
  return (
    <header class="top">
      <strong>Playcast</strong>
      <nav aria-label={words.nav.label}>
        {links.map(({ to, word, views }) => (
          <a href={to} aria-current={views.includes(view) ? 'page' : undefined}>
            {word}
          </a>
        ))}
      </nav>
      <LinkState />
      <select
        aria-label={words.common.switchLanguage}
        value={language}
        onChange={(event) => choose(event.currentTarget.value as Language)}
      >
        {Object.entries(LANGUAGES).map(([code, { language: name }]) => (
          <option value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
      {!locked && <SignOut lock={lock} />}
    </header>
  );
}

/** Only who signed in with a token can sign out. */
function SignOut({ lock }: { lock: () => void }) {
  const { words, socket, kept } = usePlaycast();
  const { data } = useQuery(ViewerDocument, {});
  if (data === null || data.viewer.name === 'local') return null;
  const leave = async (): Promise<void> => {
    await signOut();
    socket.client.terminate();
    kept.clear();
    lock();
  };
  return <button onClick={() => void leave()}>{words.common.signOut}</button>;
}

function LinkState() {
  const words = usePlaycast().words.link;
  const { link, ups } = useLink();
  return (
    <p class={`wire ${link}`} role="status" data-ups={ups}>
      {link === 'lost' ? words.lost : link === 'up' ? words.up : ''}
    </p>
  );
}

function Place() {
  const { words } = usePlaycast();
  const route = useRoute();
  const first = useRef(true);
  useEffect(() => {
    // Who does not see the page hears that it is another one now.
    if (!first.current) document.querySelector('main')?.focus();
    first.current = false;
  }, [route.view, 'number' in route && route.number]);
  switch (route.view) {
    case 'servers':
      return <ServersView recipe={route.recipe} />;
    case 'server':
      return <ServerView key={route.id} id={route.id} />;
    case 'jobs':
      return <JobsView />;
    case 'job':
      return <JobView key={route.number} number={route.number} line={route.line} />;
    case 'recipes':
      return <RecipesView />;
    case 'recipe':
      return <RecipeView key={route.name} name={route.name} />;
    case 'nowhere':
      return <p>{words.common.none_found}</p>;
  }
}
