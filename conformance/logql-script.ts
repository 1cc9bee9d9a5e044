import { type Labels, printLabels } from '../server/model/index.ts';
import { type LogResult, parseLogql, printLogql, queryLogql } from '../server/query/logql/index.ts';
import { createMemoryLogReader } from '../server/query/logql/memory-reader.ts';
import { type Evaluation, type Expectation, parseScript } from './logql-notation.ts';

/** What came of one `eval`: `failure` says what was wrong. */
export interface EvaluationResult {
  readonly line: number;
  readonly query: string;
  readonly failure: string | undefined;
}

/** Runs every `eval` of a script in process. */
export async function runScript(text: string): Promise<EvaluationResult[]> {
  const results: EvaluationResult[] = [];
  for (const evaluation of parseScript(text)) {
    const { line, query } = evaluation;
    results.push({ line, query, failure: await evaluate(evaluation) });
  }
  return results;
}

async function evaluate(evaluation: Evaluation): Promise<string | undefined> {
  const { query, startNs, endNs, stepNs, expected } = evaluation;
  const reader = createMemoryLogReader(evaluation.entries);
  let result: LogResult;
  try {
    const printed = printLogql(parseLogql(query));
    if (printLogql(parseLogql(printed)) !== printed) return `printing is not stable: ${printed}`;
    result = await queryLogql(query, { startNs, endNs, stepNs }, reader);
    if (stepNs > 0n) {
      const last = startNs + ((endNs - startNs) / stepNs) * stepNs;
      const instant = await queryLogql(printed, { startNs: last, endNs: last, stepNs: 0n }, reader);
      const difference = compareLastStep(result, instant, Number(last) / 1e9);
      if (difference !== undefined) return difference;
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return expected.kind === 'fail' ? compareFailure(expected, message) : `failed: ${message}`;
  }
  return compareResult(expected, result, evaluation);
}

function compareFailure(expected: Expectation & { kind: 'fail' }, message: string): string | undefined {
  if (expected.message !== undefined && !message.includes(expected.message)) return `the error is ${message}`;
  if (expected.pattern !== undefined && !expected.pattern.test(message)) return `the error is ${message}`;
  return undefined;
}

type Points = Map<string, (number | undefined)[]>;

function compareResult(expected: Expectation, result: LogResult, evaluation: Evaluation): string | undefined {
  if (expected.kind === 'fail') return 'did not fail';
  if (expected.kind === 'scalar') {
    return result.kind === 'scalar' && close(result.value, expected.value)
      ? undefined
      : `the answer is a ${result.kind}`;
  }
  if (result.kind !== 'vector' && result.kind !== 'matrix') return `the answer is a ${result.kind}`;
  const actual = pointsOf(result, evaluation);
  const wanted: Points = new Map();
  if (expected.kind === 'series')
    for (const { labels, points } of expected.series) wanted.set(keyOf(labels), [...points]);
  const same = actual.size === wanted.size && [...wanted].every(([key, points]) => samePoints(points, actual.get(key)));
  if (!same) return `got ${show(actual)}`;
  const ordered = expected.kind === 'series' && expected.ordered;
  return ordered && [...actual.keys()].join() !== [...wanted.keys()].join()
    ? `got the order ${show(actual)}`
    : undefined;
}

function pointsOf(result: LogResult & { kind: 'matrix' | 'vector' }, evaluation: Evaluation): Points {
  const { startNs, endNs, stepNs } = evaluation;
  const count = stepNs === 0n ? 1 : Number((endNs - startNs) / stepNs) + 1;
  const points: Points = new Map();
  for (const { labels, seconds, values } of result.series) {
    const row = Array<number | undefined>(count).fill(undefined);
    seconds.forEach((second, i) => {
      row[stepNs === 0n ? 0 : Math.round((second - Number(startNs) / 1e9) / (Number(stepNs) / 1e9))] = values[i];
    });
    points.set(keyOf(labels), row);
  }
  return points;
}

/** A range query's last step is the instant query at that time. */
function compareLastStep(range: LogResult, instant: LogResult, second: number): string | undefined {
  if (range.kind !== 'matrix' || instant.kind !== 'vector') return undefined;
  const last = new Map<string, number>();
  for (const { labels, seconds, values } of range.series) {
    if (Math.abs(seconds[seconds.length - 1] - second) < 1e-6) last.set(keyOf(labels), values[values.length - 1]);
  }
  const same =
    last.size === instant.series.length &&
    instant.series.every(({ labels, values }) => close(values[0], last.get(keyOf(labels))));
  return same ? undefined : 'the last step differs from the instant query';
}

/** Empty values count, so the model's printing is not enough. */
function keyOf(labels: Labels): string {
  return JSON.stringify(labels);
}

function samePoints(a: readonly (number | undefined)[], b: readonly (number | undefined)[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => close(value, b[i]));
}

function close(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}

function show(points: Points): string {
  const rows = [...points].map(
    ([key, values]) => `${printLabels(JSON.parse(key) as Labels)} ${values.map((v) => v ?? '_').join(' ')}`,
  );
  return rows.length === 0 ? 'nothing' : rows.join('; ');
}
