/**
 * Which room of `server/` may import which: the house's one table. `import-table.test.ts` holds every file to it, tests
 * excepted. A room's own folder and npm packages are always allowed; other rooms only through their `index.ts`.
 */
export const IMPORT_TABLE: Readonly<Record<string, readonly string[]>> = {
  model: [],
  telemetry: ['model'],
  wire: ['model'],
  govern: ['model'],
  store: ['model'],
  ingest: ['model', 'wire', 'govern', 'store', 'telemetry'],
  scrape: ['model', 'wire', 'govern', 'ingest', 'telemetry'],
  query: ['model', 'store', 'telemetry'],
  slo: ['model', 'query'],
  rules: ['model', 'query'],
  notify: ['model', 'telemetry'],
  dashboards: ['model', 'query'],
  simulate: ['model', 'wire'],
  canary: ['model', 'telemetry', 'wire', 'store'],
  config: ['model', 'wire', 'govern', 'store', 'ingest', 'scrape', 'query', 'dashboards', 'simulate', 'canary'],
  check: ['model', 'wire', 'govern', 'query', 'rules', 'config'],
  api: ['model', 'telemetry', 'wire', 'govern', 'store', 'ingest', 'scrape', 'query', 'dashboards', 'canary', 'config'],
  cmd: [
    'model',
    'telemetry',
    'wire',
    'govern',
    'store',
    'ingest',
    'scrape',
    'query',
    'dashboards',
    'simulate',
    'canary',
    'config',
    'check',
    'slo',
    'api',
  ],
};

/** What of `server/` the page may use: the pane as data, which both of them read. */
export const UI_MAY_IMPORT: readonly string[] = ['server/dashboards/index.ts'];

/** Packages and workspaces that a workspace must never load: the SDK's users install nothing, exporters stay small. */
export const WORKSPACE_FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  sdk: ['server', 'exporters', 'ui'],
  exporters: ['server', 'ui', '@duckdb/node-api', 'fastify'],
  ui: ['server', 'sdk', 'exporters', '@duckdb/node-api', 'fastify'],
};
