import { createGraphiQLFetcher, type Fetcher, type FetcherParams } from '@graphiql/toolkit';
import { type DocumentNode, Kind, parse } from 'graphql';
import { address } from '../src/api/ask';
import { Socket } from '../src/api/socket';

const send = createGraphiQLFetcher({
  url: address('graphql'),
  wsClient: new Socket().client,
  enableIncrementalDelivery: false,
});

/** Queries and mutations by HTTP, subscriptions by the socket. */
export const fetcher: Fetcher = (params, options) => {
  const documentAST = parsed(params.query);
  if (documentAST === undefined) return send(params, options);
  return send({ ...params, operationName: nameOf(documentAST, params) }, { ...options, documentAST });
};

/** What is written wrong, the server says better. */
function parsed(query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch {
    return undefined;
  }
}

/** GraphiQL still gives the name of the other tab's operation for a moment after a tab was chosen. */
function nameOf({ definitions }: DocumentNode, { operationName }: FetcherParams): string | null {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  return operations.length === 1 ? (operations[0]?.name?.value ?? null) : (operationName ?? null);
}
