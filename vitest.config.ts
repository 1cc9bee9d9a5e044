import { defineConfig } from 'vitest/config';

// Two workers: the machine that runs CI has two cores, and the black-box tests start servers of their own.
export default defineConfig({
  test: {
    include: ['{server,sdk,exporters,ui,scripts,conformance,apptest,bench}/**/*.test.{ts,tsx}'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
