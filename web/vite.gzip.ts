import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Beside each file its gzip form, which the server sends to all who take it. */
export function gzip(): Plugin {
  return {
    name: 'gzip',
    // Only now are the files what they will be.
    writeBundle({ dir = '' }, bundle) {
      for (const name of Object.keys(bundle)) {
        writeFileSync(join(dir, `${name}.gz`), gzipSync(readFileSync(join(dir, name)), { level: 9 }));
      }
    },
  };
}
