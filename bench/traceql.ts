// How fast TraceQL answers from a store on disk: `npm run bench traceql [spans]`. Prints wall and CPU milliseconds of each
// query, the best of three runs after one that warms up; reading from DuckDB is part of it, HTTP and threads are not.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Span } from '../server/model/index.ts';
import { findTags, findTagValues, queryTraceMetrics, searchTraceql } from '../server/query/traceql/index.ts';
import { openStore, type TraceReader } from '../server/store/index.ts';

const SPANS = Number(process.argv[2] ?? 200_000);
const SPANS_PER_TRACE = 8;
const HOUR_NS = 3_600_000_000_000n;
const BASE_NS = 1_767_225_600_000_000_000n;
const STAGES = [
  ['gateway', 'gateway', -1],
  ['authenticate', 'gateway', 0],
  ['vector_search', 'vectors', 0],
  ['prompt_build', 'gateway', 0],
  ['model_inference', 'engine', 0],
  ['queue', 'engine', 4],
  ['prefill', 'engine', 4],
  ['decode', 'engine', 4],
] as const;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** One request's spans, as an inference gateway and engine make them; every 50th fails, every 500th is slow. */
function traceOf(index: number, traces: number): Span[] {
  const startNs = BASE_NS + (HOUR_NS * BigInt(index)) / BigInt(traces);
  const failed = index % 50 === 0;
  const slow = index % 500 === 0;
  return STAGES.map(([name, serviceName, parent], i) => ({
    traceId: hex((index * 2_654_435_761) % 2 ** 32, 16) + hex(index, 16),
    spanId: hex(index * SPANS_PER_TRACE + i + 1, 16),
    parentSpanId: parent < 0 ? '' : hex(index * SPANS_PER_TRACE + parent + 1, 16),
    traceState: '',
    name,
    kind: i === 0 ? 'server' : 'internal',
    startNs: startNs + BigInt(i) * 1_000_000n,
    durationNs: BigInt(slow ? 9_000 : 200 + ((index * 37) % 900)) * 1_000_000n,
    status: failed && (i === 0 || i === 4) ? 'error' : 'unset',
    statusMessage: '',
    serviceName,
    resource: { 'service.name': serviceName, 'service.version': '1.4.2', 'deployment.environment.name': 'prod' },
    scopeName: 'gateway',
    scopeVersion: '1.0.0',
    attributes: {
      'gen_ai.request.model': `model-${index % 5}`,
      'gen_ai.usage.input_tokens': (index * 7) % 4000,
      'gen_ai.usage.output_tokens': (index * 13) % 900,
      'customer.tier': index % 3 === 0 ? 'pro' : 'free',
      stage: name,
    },
    events: i === 4 ? [{ name: 'first_token', timeNs: startNs + 80_000_000n, attributes: {} }] : [],
    links: [],
  }));
}

async function fill(writer: { buffer: { pushSpan(span: Span): void }; commit(): Promise<unknown> }): Promise<void> {
  const traces = Math.floor(SPANS / SPANS_PER_TRACE);
  for (let index = 0; index < traces; index++) {
    for (const span of traceOf(index, traces)) writer.buffer.pushSpan(span);
    if (index % 1000 === 999) await writer.commit();
  }
  await writer.commit();
}

const RANGE = { startNs: BASE_NS, endNs: BASE_NS + HOUR_NS };
const METRICS = { ...RANGE, stepNs: 15_000_000_000n };
type Run = (reader: TraceReader) => Promise<number>;
const search =
  (query: string): Run =>
  async (reader) =>
    (await searchTraceql(query, RANGE, reader)).traces.length;
const metrics =
  (query: string): Run =>
  async (reader) =>
    (await queryTraceMetrics(query, METRICS, reader)).series.length;

const CASES: readonly (readonly [string, Run])[] = [
  ...[
    '{ }',
    '{ status = error }',
    '{ resource.service.name = "engine" && span.gen_ai.request.model = "model-3" }',
    '{ duration > 8s && name = "decode" }',
    '{ nestedSetParent < 0 && status = error }',
    '{ name = "gateway" && status = error } >> { name = "decode" }',
    '{ span.gen_ai.usage.output_tokens > 890 } | count() > 3',
    // Every trace is a candidate, and none of them matches.
    '{ name = "decode" } >> { name = "gateway" }',
    '{ } | count() > 100',
  ].map((query) => [query, search(query)] as const),
  ...[
    '{ } | rate() by (resource.service.name)',
    '{ nestedSetParent < 0 } | histogram_over_time(duration)',
    '{ name = "decode" } | quantile_over_time(duration, 0.5, 0.99) by (span.gen_ai.request.model)',
    '{ name = "gateway" } >> { status = error } | rate()',
    '{ name = "gateway" } | compare({ status = error })',
  ].map((query) => [query, metrics(query)] as const),
  ['names of tags', async (reader) => (await findTags(RANGE, reader)).length],
  [
    'values of span.gen_ai.request.model',
    async (reader) => (await findTagValues('span.gen_ai.request.model', RANGE, reader)).length,
  ],
];

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-'));
try {
  const store = await openStore({ directory });
  const begun = performance.now();
  await fill(store.writer);
  console.log(`${SPANS} spans stored in ${Math.round(performance.now() - begun)} ms`);
  const reader = store.readers().traces;
  for (const [title, run] of CASES) {
    let [wall, cpu, found] = [Infinity, Infinity, -1];
    try {
      for (let round = 0; round < 4; round++) {
        const [startedMs, before] = [performance.now(), process.cpuUsage()];
        found = await run(reader);
        const used = process.cpuUsage(before);
        if (round === 0) continue;
        wall = Math.min(wall, performance.now() - startedMs);
        cpu = Math.min(cpu, (used.user + used.system) / 1000);
      }
      console.log(`${wall.toFixed(0).padStart(7)} ms ${cpu.toFixed(0).padStart(7)} ms CPU  ${title}  → ${found}`);
    } catch (error) {
      console.log(`     – ${title}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
  await store.close();
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
