// Builds the pane into ui/dist, but only where a source is newer than what was built last.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const BUILT = join(ROOT, 'ui/dist/index.html');
/** Everything that ends up in the bundle, and what decides how it is built. */
const SOURCES = ['ui', 'server/dashboards', 'package-lock.json', 'scripts/build-ui.mjs'];
const SKIPPED = new Set(['node_modules', 'dist']);

/** The newest change below a path, in milliseconds since the epoch. A folder counts too, since deleting is a change. */
function newestMs(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  const entries = readdirSync(path).filter((name) => !SKIPPED.has(name) && !/\.test\.tsx?$/.test(name));
  return Math.max(path.endsWith('/ui') ? 0 : mtimeMs, ...entries.map((name) => newestMs(join(path, name))));
}

const changedMs = Math.max(...SOURCES.map((path) => newestMs(join(ROOT, path))));
if (existsSync(BUILT) && statSync(BUILT).mtimeMs >= changedMs) {
  console.log('ui/dist is up to date');
} else {
  // Vite is loaded only when there is something to build: that keeps an up-to-date run under a tenth of a second.
  const { build } = await import('vite');
  const startedMs = performance.now();
  await build({ configFile: join(ROOT, 'ui/vite.config.ts'), logLevel: 'warn' });
  console.log(`ui/dist built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}
