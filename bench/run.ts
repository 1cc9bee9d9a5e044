// Runs a benchmark: npm run bench [name]. Without a name it lists them.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const names = fs
  .readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => path.basename(file, '.ts'));
const [name, ...args] = process.argv.slice(2);
if (name === undefined) {
  console.log(`benchmarks: ${names.join(', ')}\n  npm run bench NAME`);
} else if (!names.includes(name)) {
  console.error(`bench: got ${JSON.stringify(name)}, accepted is one of: ${names.join(', ')}`);
  process.exitCode = 2;
} else {
  const file = path.join(import.meta.dirname, `${name}.ts`);
  process.exitCode = spawnSync(process.execPath, [file, ...args], { stdio: 'inherit' }).status ?? 1;
}
