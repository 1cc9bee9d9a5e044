import type { Attributes, AttributeValue, Span, SpanKind, SpanStatus } from '../server/model/index.ts';
import {
  type FoundTrace,
  parseTraceql,
  printTraceql,
  queryTraceMetrics,
  searchTraceql,
  type TraceMetricsResult,
} from '../server/query/traceql/index.ts';
import { createMemoryTraceReader } from '../server/query/traceql/memory-reader.ts';

/** What came of one `eval`: `failure` says what was wrong. */
export interface EvaluationResult {
  readonly line: number;
  readonly query: string;
  readonly failure: string | undefined;
}

const YEAR_NS = 31_536_000_000_000_000n;

/**
 * Runs a script: `load` with spans, `clear`, `eval <query>` with the traces and spans it finds (`t1: a b`, groups of
 * `by` separated by `|`), `expect empty` or `expect fail msg: …`. A span is written
 * `trace/span<parent service "name" @start +duration status=… kind=… span.x=1 resource.y="z" event.e=1`.
 *
 * `eval range <start>..<end> step <step> <query>` expects the series of a metrics query, a sample a step and `_` where
 * there is none: `{name=decode} 1 _ 2.5`. A label without a value is `x=nil`.
 */
export async function runScript(text: string): Promise<EvaluationResult[]> {
  const lines = text.split('\n');
  const results: EvaluationResult[] = [];
  let spans: Span[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at].trim();
    if (line === '' || line.startsWith('#')) continue;
    const number = at + 1;
    const block: string[] = [];
    while (/^\s+\S/.test(lines[at + 1] ?? '')) block.push(lines[++at].trim());
    const content = block.filter((entry) => !entry.startsWith('#'));
    if (line === 'clear') spans = [];
    else if (line === 'load') spans = [...spans, ...content.map((entry) => parseSpan(entry, number))];
    else if (line.startsWith('eval ')) {
      if (content.length === 0) throw new Error(`line ${number}: an eval without an expectation`);
      const range = RANGE.exec(line);
      const query = range ? range[4] : line.slice('eval '.length);
      const failure = range ? evaluateMetrics(range, spans, content) : evaluate(query, spans, content);
      results.push({ line: number, query, failure: await failure });
    } else throw new Error(`line ${number}: unknown command ${line}`);
  }
  return results;
}

const RANGE = /^eval range (\S+)\.\.(\S+) step (\S+) (.*)$/;
const SPAN = /^(\w+)\/(\w+)(?:<(\w+))?\s+(\S+)\s+"([^"]*)"\s+@(\S+)\s+\+(\S+)(.*)$/;
const FIELD = /\s+([a-zA-Z_.:-]+)=("(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+)/g;

function parseSpan(text: string, number: number): Span {
  const match = SPAN.exec(text);
  if (!match) throw new Error(`line ${number}: not a span: ${text}`);
  const [, trace, id, parent, service, name, start, duration, rest] = match;
  const span: Span = {
    traceId: idOf(trace, 32),
    spanId: idOf(id, 16),
    parentSpanId: parent === undefined ? '' : idOf(parent, 16),
    traceState: '',
    name,
    kind: 'internal',
    startNs: YEAR_NS + milliseconds(start),
    durationNs: milliseconds(duration),
    status: 'unset',
    statusMessage: '',
    serviceName: service,
    resource: { 'service.name': service },
    scopeName: '',
    scopeVersion: '',
    attributes: {},
    events: [],
    links: [],
  };
  const event: Attributes = {};
  for (const [, key, value] of rest.matchAll(FIELD)) {
    if (key === 'status') span.status = value as SpanStatus;
    else if (key === 'kind') span.kind = value as SpanKind;
    else if (key.startsWith('span.')) span.attributes[key.slice(5)] = JSON.parse(value) as AttributeValue;
    else if (key.startsWith('resource.')) span.resource[key.slice(9)] = JSON.parse(value) as AttributeValue;
    else if (key.startsWith('event.')) event[key.slice(6)] = JSON.parse(value) as AttributeValue;
    else throw new Error(`line ${number}: unknown field ${key}`);
  }
  if (Object.keys(event).length > 0) span.events.push({ name: 'event', timeNs: span.startNs, attributes: event });
  return span;
}

/** A readable name as hexadecimal digits. */
function idOf(name: string, digits: number): string {
  return Buffer.from(name).toString('hex').padStart(digits, '0');
}

function nameOf(id: string): string {
  return Buffer.from(id.replace(/^(00)+/, ''), 'hex').toString();
}

function milliseconds(text: string): bigint {
  const match = /^(\d+)(ms|s)$/.exec(text);
  if (!match) throw new Error(`not a time in s or ms: ${text}`);
  return BigInt(match[1]) * (match[2] === 's' ? 1_000_000_000n : 1_000_000n);
}

async function evaluate(
  query: string,
  spans: readonly Span[],
  expected: readonly string[],
): Promise<string | undefined> {
  const reader = createMemoryTraceReader(spans);
  const params = { startNs: 0n, endNs: 2n * YEAR_NS, limit: 100, spansPerSpanset: 100 };
  const find = async (text: string) => show((await searchTraceql(text, params, reader)).traces);
  return compareAnswers(query, expected, find);
}

/** The series of a metrics query over a range that begins so long after the scripts' epoch. */
async function evaluateMetrics(
  [, start, end, step, query]: readonly string[],
  spans: readonly Span[],
  expected: readonly string[],
): Promise<string | undefined> {
  const reader = createMemoryTraceReader(spans);
  const [startNs, endNs] = [YEAR_NS + milliseconds(start), YEAR_NS + milliseconds(end)];
  const params = { startNs, endNs, stepNs: milliseconds(step) };
  const find = async (text: string) => showSeries(await queryTraceMetrics(text, params, reader));
  return compareAnswers(query, expected, find);
}

/** Runs a query as it is written and as it prints, and says what differs from the expectation. */
async function compareAnswers(
  query: string,
  expected: readonly string[],
  find: (text: string) => Promise<string[]>,
): Promise<string | undefined> {
  let actual: string[];
  try {
    const printed = printTraceql(parseTraceql(query));
    if (printTraceql(parseTraceql(printed)) !== printed) return `printing is not stable: ${printed}`;
    actual = await find(query);
    if (actual.join() !== (await find(printed)).join()) return `the printed query finds something else: ${printed}`;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const wanted = /^expect fail(?: msg: (.*))?$/.exec(expected[0]);
    if (!wanted) return `failed: ${message}`;
    return message.includes(wanted[1] ?? '') ? undefined : `the error is ${message}`;
  }
  const wanted = expected[0] === 'expect empty' ? [] : [...expected].sort();
  return actual.join('\n') === wanted.join('\n')
    ? undefined
    : `got ${actual.length === 0 ? 'nothing' : actual.join('; ')}`;
}

function show(traces: readonly FoundTrace[]): string[] {
  const rows = traces.map((trace) => {
    const sets = trace.spansets.map(({ spans }) =>
      spans
        .map(({ spanId }) => nameOf(spanId))
        .sort()
        .join(' '),
    );
    return `${nameOf(trace.traceId)}: ${sets.sort().join(' | ')}`;
  });
  return rows.sort();
}

function showSeries({ series }: TraceMetricsResult): string[] {
  const rows = series.map(({ labels, values }) => {
    const names = labels.map(({ name, value }) => `${name}=${showValue(value)}`).join(',');
    const samples = [...values].map((value) => (Number.isNaN(value) ? '_' : String(Number(value.toPrecision(12)))));
    return `{${names}} ${samples.join(' ')}`;
  });
  return rows.sort();
}

function showValue(value: unknown): string {
  if (value === undefined) return 'nil';
  return typeof value === 'object' && value !== null && 'keyword' in value ? String(value.keyword) : String(value);
}
