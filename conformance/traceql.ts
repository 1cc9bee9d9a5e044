import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { parseTraceql, printTraceql } from '../server/query/traceql/index.ts';
import { runScript } from './traceql-script.ts';

const OWN = path.join(import.meta.dirname, 'traceql');
/** Tempo's parser examples, where they lie beside the checkout. They are never copied into this project. */
export const SHARED = path.join(
  import.meta.dirname,
  '..',
  '..',
  'shared',
  'conformance',
  'traceql',
  'test_examples.yaml',
);

/** Passed and total of a file or of a list in it. */
export interface Score {
  readonly title: string;
  readonly passed: number;
  readonly total: number;
  readonly failures: readonly string[];
}

/** Runs our own scripts. */
export async function runOwn(): Promise<Score[]> {
  const scores: Score[] = [];
  for (const file of fs
    .readdirSync(OWN)
    .filter((name) => name.endsWith('.traceqltest'))
    .sort()) {
    const results = await runScript(fs.readFileSync(path.join(OWN, file), 'utf8'));
    const failed = results.filter((result) => result.failure !== undefined);
    const failures = failed.map((f) => `${file}:${f.line}: ${f.query}\n    ${f.failure}`);
    scores.push({ title: file, passed: results.length - failed.length, total: results.length, failures });
  }
  return scores;
}

/** Tempo's examples: valid ones parse and print to the same tree, the others are refused. Empty where they are absent. */
export function runExamples(): Score[] {
  if (!fs.existsSync(SHARED)) return [];
  const examples = parse(fs.readFileSync(SHARED, 'utf8')) as { valid: string[]; parse_fails: string[] };
  return [
    score('valid', examples.valid, roundTrip),
    score('parse_fails', examples.parse_fails, (query) => (parses(query) === undefined ? 'was accepted' : undefined)),
  ];
}

function score(title: string, queries: readonly string[], check: (query: string) => string | undefined): Score {
  const failures = queries.flatMap((query) => {
    const failure = check(query);
    return failure === undefined ? [] : [`${query}\n    ${failure}`];
  });
  return { title, passed: queries.length - failures.length, total: queries.length, failures };
}

/** The error of a query, or `undefined` where it parses. */
function parses(query: string): string | undefined {
  try {
    parseTraceql(query);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function roundTrip(query: string): string | undefined {
  const failure = parses(query);
  if (failure !== undefined) return failure;
  const printed = printTraceql(parseTraceql(query));
  const again = parses(printed);
  if (again !== undefined) return `printed as ${printed}: ${again}`;
  return treeOf(printed) === treeOf(query) ? undefined : `printed as ${printed}, which is another tree`;
}

/** A query's tree as text, without positions. */
function treeOf(query: string): string {
  return JSON.stringify(parseTraceql(query), (name, value) => (name === 'at' ? undefined : value));
}

/** Prints passed of total for our own scripts and for Tempo's examples. `--failures` lists what failed. */
export async function runConformance(args: string[]): Promise<{ passed: number; failed: number }> {
  const totals = { passed: 0, failed: 0 };
  for (const [title, scores] of [
    ['our own TraceQL scripts', await runOwn()],
    ["Tempo's examples", runExamples()],
  ] as const) {
    console.log(scores.length === 0 ? `${title}: none found, skipped` : `${title}:`);
    for (const { title: name, passed, total, failures } of scores) {
      console.log(`  ${name.padEnd(28)} ${passed} of ${total}`);
      if (args.includes('--failures')) for (const failure of failures) console.log(`    ${failure}`);
      totals.passed += passed;
      totals.failed += total - passed;
    }
  }
  return totals;
}
