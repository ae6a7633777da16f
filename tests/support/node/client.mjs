// Follows the log of one job with graphql-ws, as a browser would: `client.mjs URL JOB_ID CUTS [TOKEN]`.
// Its own connection breaks CUTS times; each time it goes on after the last cursor. The text goes to stdout.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, jobId, cuts, token] = process.argv.slice(2);
const QUERY =
  "subscription Log($jobId: ID!, $after: String) { jobLog(jobId: $jobId, after: $after) { cursor text end } }";

const sockets = [];
let left = Number(cuts);

class Breakable extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.push(this);
  }

  // What still comes out of a broken line is nobody's any more: it will come again.
  emit(name, ...given) {
    return this.broken && name === "message" ? false : super.emit(name, ...given);
  }
}

const client = createClient({
  url,
  webSocketImpl: Breakable,
  connectionParams: token ? { token } : {},
  retryAttempts: Number(cuts) + 5,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 5)),
  shouldRetry: () => true,
});

// The client sends the same payload again after a break: what moves is the cursor inside it.
const variables = { jobId, after: null };

client.subscribe(
  { query: QUERY, variables },
  {
    next({ data, errors }) {
      if (errors) throw new Error(JSON.stringify(errors));
      const socket = sockets.at(-1);
      variables.after = data.jobLog.cursor;
      process.stdout.write(data.jobLog.text);
      if (left > 0) {
        left -= 1;
        socket.broken = true;
        socket.terminate();
      }
    },
    error(reason) {
      process.stderr.write(`${reason?.stack ?? JSON.stringify(reason)}\n`);
      process.exitCode = 1;
      client.dispose();
    },
    complete() {
      process.stderr.write(`${sockets.length} connections\n`);
      client.dispose();
    },
  },
);
