// Types and documents of every operation in src/operations, from schema.graphql into src/generated/operations.ts.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import * as documents from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const here = import.meta.dirname;
const folder = join(here, 'src/operations');
const target = join(here, 'src/generated/operations.ts');

const config = {
  // A string needs no GraphQL library in the browser.
  documentMode: 'string',
  scalars: { BigInt: 'number', DateTime: 'string', JSON: 'unknown', ID: 'string' },
  strictScalars: true,
  enumType: 'string-literal',
  avoidOptionals: { inputValue: false, defaultValue: false, field: true },
  useTypeImports: true,
  skipTypename: true,
  dedupeFragments: true,
};

const text = await codegen({
  schema: parse(readFileSync(join(here, '../schema.graphql'), 'utf8')),
  documents: readdirSync(folder)
    .sort()
    .map((name) => ({ location: name, document: parse(readFileSync(join(folder, name), 'utf8')) })),
  filename: target,
  config,
  pluginMap: { operations, documents },
  plugins: [{ operations: {} }, { documents: {} }],
});
mkdirSync(join(here, 'src/generated'), { recursive: true });
// White space between tokens means nothing in a document, and would be sent with each request.
writeFileSync(target, text.replace(/`[^`]*`/g, (document) => document.replace(/\s+/g, ' ')));
