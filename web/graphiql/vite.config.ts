import { join } from 'node:path';
import { defineConfig } from 'vite';
import { gzip } from '../vite.gzip.ts';

export default defineConfig({
  // Relative addresses: it works below any path of a proxy.
  base: './',
  build: {
    outDir: '../dist',
    // The page is there too.
    emptyOutDir: false,
    assetsDir: 'graphiql',
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Whoever gets a wheel or an image gets these packages too, and may know on what terms.
    license: { fileName: 'graphiql/LICENSES.md' },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 3_000,
    rolldownOptions: {
      input: join(import.meta.dirname, 'graphiql.html'),
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: 'es' },
  plugins: [gzip()],
});
