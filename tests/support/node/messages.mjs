// Which of the messages on stdin, a JSON array, are of graphql-transport-ws: one boolean for each goes to stdout.
import { readFileSync } from "node:fs";
import { validateMessage } from "graphql-ws";

const verdicts = JSON.parse(readFileSync(0, "utf8")).map((message) => {
  try {
    validateMessage(message);
    return true;
  } catch {
    return false;
  }
});
process.stdout.write(JSON.stringify(verdicts));
