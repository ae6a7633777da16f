import { ask } from '../api/ask';
import { type ServerRowFragment, ServersDocument, type ServersQuery } from '../generated/operations';
import { type QueryResult, useRequest } from './queries';

/** As many as the server gives at once. */
const PAGE = 100;

export interface Servers {
  nodes: readonly ServerRowFragment[];
  total: number;
  more: boolean;
}

/** The first pages of the servers whose names hold a text. All of them are asked for anew with `again`. */
export function useServers(find: string, pages: number): QueryResult<Servers> {
  return useRequest(JSON.stringify([find, pages]), () => read(find, pages));
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
