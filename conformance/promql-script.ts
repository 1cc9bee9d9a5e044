import { compareAnswer, compareFailure, type Expectation, parseExpectation } from './promql-expect.ts';
import { LoadedSeries } from './promql-load.ts';
import { parseOffset } from './promql-notation.ts';
import type { PromqlTarget, QueryTime } from './promql-target.ts';

/** What one `eval` came to. */
export interface CaseResult {
  readonly line: number;
  readonly query: string;
  /** `undefined` where it passed. */
  readonly failure: string | undefined;
}

/** Runs a script (`load`, `clear`, `eval`) against a target. */
export async function runScript(text: string, target: PromqlTarget): Promise<CaseResult[]> {
  let loaded = new LoadedSeries();
  await target.clear();
  const results: CaseResult[] = [];
  for (const { number, line, block } of commandsOf(text)) {
    if (line === 'clear') {
      loaded = new LoadedSeries();
      await target.clear();
      continue;
    }
    const [, suffix, interval] = /^load(_with_nhcb)?\s+(\S+)$/.exec(line) ?? [];
    if (interval !== undefined) {
      await target.load(loaded.add(block, parseOffset(interval), suffix !== undefined));
    } else results.push(await runEval(line, block, number, target));
  }
  return results;
}

interface Command {
  /** From 1. */
  readonly number: number;
  readonly line: string;
  /** The indented lines below, without comments. */
  readonly block: string[];
}

function commandsOf(text: string): Command[] {
  const commands: Command[] = [];
  text.split('\n').forEach((raw, i) => {
    const line = raw.replaceAll('\t', ' ').trim();
    if (line === '' || line.startsWith('#')) return;
    if (/^\s/.test(raw) && commands.length > 0) commands[commands.length - 1].block.push(line);
    else commands.push({ number: i + 1, line, block: [] });
  });
  return commands;
}

const EVAL =
  /^eval(_fail|_warn|_info|_ordered)?\s+(?:instant\s+at\s+(\S+)|range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))\s+(.*)$/;

/** Queries whose value at a time depends on the range around it, or that may fail at other times. */
const DEPENDS_ON_RANGE = /\b(?:start|end|step|range)\s*\(|\bsort/;

/** What is right for an instant must be right for a step in the middle of a range. */
async function compareWithRange(
  query: string,
  expectation: Expectation,
  { startMs }: QueryTime,
  target: PromqlTarget,
): Promise<string | undefined> {
  const stepMs = 60_000;
  const answer = await target
    .query(query, { startMs: startMs - stepMs, endMs: startMs + stepMs, stepMs })
    .catch(() => undefined);
  // At the steps beside it the query may be an error.
  if (!answer) return undefined;
  const series = answer.series.map(({ labels, points }) => {
    return { labels, points: new Map([...points].filter(([ms]) => ms === startMs)) };
  });
  const values = { ...expectation, warn: [], info: [], noWarn: false, noInfo: false, ordered: false };
  const problem = compareAnswer({ ...answer, series }, values, { startMs, endMs: startMs, stepMs: 0 });
  return problem === undefined ? undefined : `as a step of a range: ${problem}`;
}

async function runEval(line: string, block: string[], number: number, target: PromqlTarget): Promise<CaseResult> {
  const match = EVAL.exec(line);
  if (!match) return { line: number, query: line, failure: 'neither load, clear nor eval' };
  const [, old, at, from, to, step, query] = match;
  const expectation = parseExpectation(block, old);
  const time: QueryTime = at
    ? { startMs: parseOffset(at), endMs: parseOffset(at), stepMs: 0 }
    : { startMs: parseOffset(from), endMs: parseOffset(to), stepMs: parseOffset(step) };
  const failure = (message: string | undefined): CaseResult => ({ line: number, query, failure: message });
  try {
    const answer = await target.query(query, time);
    if (expectation.fail) return failure(`expected a failure, got a ${answer.kind}`);
    const problem = compareAnswer(answer, expectation, time);
    if (problem !== undefined || time.stepMs !== 0 || DEPENDS_ON_RANGE.test(query)) return failure(problem);
    if (answer.kind !== 'vector' && answer.kind !== 'scalar') return failure(undefined);
    return failure(await compareWithRange(query, expectation, time, target));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!expectation.fail) return failure(`failed: ${message}`);
    return failure(compareFailure(expectation.fail, message));
  }
}
