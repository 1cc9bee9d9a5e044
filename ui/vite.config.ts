import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where a running server answers the API while the pane is worked on with `vite dev`. */
const SERVER = 'http://127.0.0.1:7070';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  server: { proxy: { '/api': SERVER, '/loki': SERVER } },
  build: { outDir: 'dist', emptyOutDir: true, sourcemap: false, reportCompressedSize: false },
});
