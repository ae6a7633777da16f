// Reads schema.graphql, and the answers to introspection queries on stdin, as graphql-js does: `schema.mjs FILE`.
import { readFileSync } from "node:fs";
import { buildClientSchema, buildSchema, printSchema } from "graphql";

const fromFile = buildSchema(readFileSync(process.argv[2], "utf8"));
const fromAnswers = JSON.parse(readFileSync(0, "utf8")).map((data) => printSchema(buildClientSchema(data)).length > 0);
process.stdout.write(
  JSON.stringify({
    types: Object.keys(fromFile.getTypeMap()).filter((name) => !name.startsWith("__")).length,
    oneOf: fromFile.getType("CredentialInput").isOneOf,
    answers: fromAnswers,
  }),
);
