import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Beside each file its gzip form, which the server sends to all who take it. */
function gzip(): Plugin {
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

const jsx = { oxc: { jsx: { runtime: 'automatic' as const, importSource: 'preact' } } };

const page = defineConfig({
  ...jsx,
  // Relative addresses: the page works below any path of a proxy.
  base: './',
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  plugins: [gzip()],
});

const folder = join(import.meta.dirname, 'test');
const tests = defineConfig({
  ...jsx,
  build: {
    ssr: true,
    outDir: '.test',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      input: readdirSync(folder)
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => join(folder, name)),
    },
  },
});

export default defineConfig(({ mode }) => (mode === 'test' ? tests : page));
