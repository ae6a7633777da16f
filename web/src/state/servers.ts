import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask, SignInNeeded } from '../api/ask';
import { type ServerRowFragment, ServersDocument, type ServersQuery } from '../generated/operations';
import type { Asked } from './asked';
import { usePlaycast } from './playcast';

/** As many as the server gives at once. */
const PAGE = 100;

export interface Servers {
  nodes: readonly ServerRowFragment[];
  total: number;
  more: boolean;
}

/** The first pages of the servers whose names hold a text. All of them are asked for anew with `again`. */
export function useServers(find: string, pages: number): Asked<Servers> {
  const { lock } = usePlaycast();
  const [data, setData] = useState<Servers | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  const latest = useRef(0);
  useEffect(() => {
    const mine = (latest.current += 1);
    read(find, pages).then(
      (found) => {
        if (mine !== latest.current) return;
        setData(found);
        setTrouble(null);
      },
      (error: unknown) => {
        if (mine !== latest.current) return;
        if (error instanceof SignInNeeded) lock();
        else setTrouble(error instanceof Error ? error.message : String(error));
      },
    );
  }, [find, pages, turn]);
  useEffect(() => () => void (latest.current += 1), []);
  return { data, trouble, again: useCallback(() => setTurn((before) => before + 1), []) };
}

async function read(find: string, pages: number): Promise<Servers> {
  const filter = find ? { nameContains: find } : null;
  const nodes: ServerRowFragment[] = [];
  let after: string | null = null;
  for (let left = pages; ; left -= 1) {
    const { servers }: ServersQuery = await ask(ServersDocument, { first: PAGE, after, filter });
    nodes.push(...servers.nodes);
    const more = servers.pageInfo.hasNextPage;
    if (!more || left <= 1) return { nodes, total: servers.totalCount, more };
    after = servers.pageInfo.endCursor;
  }
}
