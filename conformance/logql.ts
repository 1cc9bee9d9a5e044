import fs from 'node:fs';
import path from 'node:path';
import { runScript } from './logql-script.ts';

const OWN = path.join(import.meta.dirname, 'logql');
/** Loki's own scripts, where they lie beside the checkout. They are never copied into this project. */
export const SHARED = path.join(import.meta.dirname, '..', '..', 'shared', 'conformance', 'logql');

/** Passed and total of a script file. */
export interface FileScore {
  readonly file: string;
  readonly passed: number;
  readonly total: number;
  readonly failures: readonly string[];
}

/** Runs every script of a folder; an absent folder gives none. */
export async function runFolder(folder: string): Promise<FileScore[]> {
  if (!fs.existsSync(folder)) return [];
  const scores: FileScore[] = [];
  const files = fs.readdirSync(folder).filter((name) => name.endsWith('.logqltest'));
  for (const file of files.sort()) {
    const results = await runScript(fs.readFileSync(path.join(folder, file), 'utf8'));
    const failed = results.filter((result) => result.failure !== undefined);
    const failures = failed.map((f) => `${file}:${f.line}: ${f.query}\n    ${f.failure}`);
    scores.push({ file, passed: results.length - failed.length, total: results.length, failures });
  }
  return scores;
}

/** Our own scripts. */
export function runOwn(): Promise<FileScore[]> {
  return runFolder(OWN);
}

/** Prints passed of total for our own scripts and for Loki's. `--failures` lists what failed. */
export async function runConformance(args: string[]): Promise<{ passed: number; failed: number }> {
  const totals = { passed: 0, failed: 0 };
  for (const [title, folder] of [
    ['our own LogQL scripts', OWN],
    ["Loki's scripts", SHARED],
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
