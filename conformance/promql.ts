import fs from 'node:fs';
import path from 'node:path';
import { runScript } from './promql-script.ts';
import { memoryTarget } from './promql-target.ts';

const OWN = path.join(import.meta.dirname, 'promql');
/** Prometheus's own scripts, where they lie beside the checkout. They are never copied into this project. */
export const SHARED = path.join(import.meta.dirname, '..', '..', 'shared', 'conformance', 'promql');

/** Passed and total of a script file. */
export interface FileScore {
  readonly file: string;
  readonly passed: number;
  readonly total: number;
  readonly failures: string[];
}

/** Runs every script of a folder; an absent folder gives none. */
export async function runFolder(folder: string): Promise<FileScore[]> {
  if (!fs.existsSync(folder)) return [];
  const scores: FileScore[] = [];
  for (const file of fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .sort()) {
    const results = await runScript(fs.readFileSync(path.join(folder, file), 'utf8'), memoryTarget());
    const failed = results.filter((result) => result.failure !== undefined);
    const failures = failed.map((f) => `${file}:${f.line}: ${f.query}\n    ${f.failure}`);
    scores.push({ file, passed: results.length - failed.length, total: results.length, failures });
  }
  return scores;
}

/** Prints passed of total for our own scripts and for Prometheus's. `--failures` lists what failed. */
export async function runConformance(args: string[]): Promise<{ passed: number; failed: number }> {
  const totals = { passed: 0, failed: 0 };
  for (const [title, folder] of [
    ['our own scripts', OWN],
    ["Prometheus's scripts", SHARED],
  ]) {
    const scores = await runFolder(folder);
    console.log(scores.length === 0 ? `${title}: none found, skipped` : `${title}:`);
    for (const { file, passed, total, failures } of scores) {
      console.log(`  ${file.padEnd(28)} ${passed} of ${total}`);
      if (args.includes('--failures')) for (const failure of failures) console.log(`    ${failure}`);
      totals.passed += passed;
      totals.failed += total - passed;
    }
  }
  return totals;
}
