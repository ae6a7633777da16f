import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';
import { gzip } from './vite.gzip.ts';

const jsx = { oxc: { jsx: { runtime: 'automatic' as const, importSource: 'preact' } } };

const page = defineConfig({
  ...jsx,
  // Relative addresses: the page works below any path of a proxy.
  base: './',
  build: {
    // What stands beside it, `build.py` clears away.
    emptyOutDir: false,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Whoever gets a wheel or an image gets these packages too, and may know on what terms.
    license: { fileName: 'assets/LICENSES.md' },
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
