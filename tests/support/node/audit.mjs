// Runs the audits of graphql-http against a server, each by itself: `audit.mjs URL [TOKEN]`. The results go to stdout.
import { serverAudits } from "graphql-http";

const [url, token] = process.argv.slice(2);
const withToken = (address, { headers, ...given } = {}) =>
  fetch(address, { ...given, headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers });

const results = [];
for (const audit of serverAudits({ url, fetchFn: withToken })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
process.stdout.write(JSON.stringify(results));
