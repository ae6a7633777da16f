import { useEffect, useState } from 'preact/hooks';

/** A place in the page, as the part of the address after `#` names it. */
export type Route =
  | { view: 'servers'; recipe: string | null }
  | { view: 'server'; id: string | null }
  | { view: 'jobs' }
  | { view: 'job'; number: number; line: number | null }
  | { view: 'recipes' }
  | { view: 'recipe'; name: string }
  | { view: 'nowhere' };

export function parse(hash: string): Route {
  const parts = hash.replace(/^#?\/?/, '').split('/').map(decode);
  const [first = '', second, third] = parts;
  if (parts.length > 3) return { view: 'nowhere' };
  if (first === 'jobs' && second !== undefined) {
    const line = third === undefined ? null : /^L[1-9]\d{0,9}$/.test(third) ? Number(third.slice(1)) : 0;
    return /^[1-9]\d{0,9}$/.test(second) && line !== 0
      ? { view: 'job', number: Number(second), line }
      : { view: 'nowhere' };
  }
  if (third !== undefined) return { view: 'nowhere' };
  if (first === 'servers' && second !== undefined) return { view: 'server', id: second === 'new' ? null : second };
  if (first === 'recipes') return second === undefined ? { view: 'recipes' } : { view: 'recipe', name: second };
  if (first === 'run' && second !== undefined) return { view: 'servers', recipe: second };
  if (second !== undefined) return { view: 'nowhere' };
  if (first === '' || first === 'servers') return { view: 'servers', recipe: null };
  return first === 'jobs' ? { view: 'jobs' } : { view: 'nowhere' };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const href = {
  servers: '#/',
  /** The servers, with a recipe chosen for them. */
  run: (recipe: string) => `#/run/${encodeURIComponent(recipe)}`,
  newServer: '#/servers/new',
  server: (id: string) => `#/servers/${encodeURIComponent(id)}`,
  jobs: '#/jobs',
  job: (number: number) => `#/jobs/${number}`,
  line: (number: number, line: number) => `#/jobs/${number}/L${line}`,
  recipes: '#/recipes',
  recipe: (name: string) => `#/recipes/${encodeURIComponent(name)}`,
};

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const moved = (): void => setHash(location.hash);
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return parse(hash);
}
