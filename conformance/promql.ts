import fs from 'node:fs';
import path from 'node:path';
import { serverException } from './promql-exceptions.ts';
import { runScript } from './promql-script.ts';
import { serverTarget } from './promql-server.ts';
import { memoryTarget, type PromqlTarget } from './promql-target.ts';

const OWN = path.join(import.meta.dirname, 'promql');
/** Prometheus's own scripts, where they lie beside the checkout. They are never copied into this project. */
export const SHARED = path.join(import.meta.dirname, '..', '..', 'shared', 'conformance', 'promql');

/** Passed and total of a script file. */
export interface FileScore {
  readonly file: string;
  readonly passed: number;
  readonly total: number;
  readonly failures: string[];
  /** Cases that differ on purpose, with the reason; not among the failures. */
  readonly exceptions: string[];
}

/** Where scripts run: in the engine of this process, or through remote write and the HTTP API of a server. */
export type Level = 'engine' | 'server';

/** Runs every script of a folder; an absent folder gives none. */
export async function runFolder(folder: string, level: Level = 'engine'): Promise<FileScore[]> {
  if (!fs.existsSync(folder)) return [];
  const server = level === 'server' ? await serverTarget() : undefined;
  try {
    return await runFiles(folder, server ?? memoryTarget(), level);
  } finally {
    await server?.close();
  }
}

async function runFiles(folder: string, target: PromqlTarget, level: Level): Promise<FileScore[]> {
  const scores: FileScore[] = [];
  for (const file of fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .sort()) {
    const results = await runScript(fs.readFileSync(path.join(folder, file), 'utf8'), target);
    const [failures, exceptions]: string[][] = [[], []];
    for (const { line, query, failure } of results) {
      if (failure === undefined) continue;
      const why = level === 'server' ? serverException(failure) : undefined;
      const text = `${file}:${line}: ${query}\n    ${failure}`;
      if (why === undefined) failures.push(text);
      else exceptions.push(`${file}:${line}: ${query}\n    on purpose: ${why}`);
    }
    const passed = results.length - failures.length - exceptions.length;
    scores.push({ file, passed, total: results.length, failures, exceptions });
  }
  return scores;
}

/**
 * Prints passed of total for our own scripts and for Prometheus's, in the engine and on a server. `--failures` lists what
 * failed, `--engine` leaves the server out.
 */
export async function runConformance(args: string[]): Promise<{ passed: number; failed: number }> {
  const totals = { passed: 0, failed: 0 };
  const levels: readonly Level[] = args.includes('--engine') ? ['engine'] : ['engine', 'server'];
  const folders = [
    ['our own scripts', OWN],
    ["Prometheus's scripts", SHARED],
  ];
  for (const [level, title, folder] of levels.flatMap((one) => folders.map(([a, b]) => [one, a, b] as const))) {
    const scores = await runFolder(folder, level);
    const where = level === 'engine' ? 'in the engine' : 'through remote write and the HTTP API of a server';
    console.log(scores.length === 0 ? `${title}: none found, skipped` : `${title}, ${where}:`);
    for (const { file, passed, total, failures, exceptions } of scores) {
      const apart = exceptions.length > 0 ? `, ${exceptions.length} differ on purpose` : '';
      console.log(`  ${file.padEnd(28)} ${passed} of ${total}${apart}`);
      if (args.includes('--failures')) for (const text of [...failures, ...exceptions]) console.log(`    ${text}`);
      totals.passed += passed;
      totals.failed += failures.length;
    }
  }
  return totals;
}
