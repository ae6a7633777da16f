// Asks by graphql-sse: `stream.mjs URL QUERY MODE`, where MODE is `distinct` or `single`. What comes goes to stdout.
import { createClient } from "graphql-sse";

const [url, query, mode] = process.argv.slice(2);
const client = createClient({ url, singleConnection: mode === "single", retryAttempts: 0 });
const told = [];
const end = (last) => {
  process.stdout.write(JSON.stringify([...told, last]));
  client.dispose();
};
client.subscribe(
  { query },
  {
    next: (result) => told.push({ next: result }),
    error: (problem) => end({ error: problem?.response?.status ?? String(problem) }),
    complete: () => end({ complete: true }),
  },
);
