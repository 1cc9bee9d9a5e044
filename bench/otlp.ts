// Measures OTLP's way from the body to the store: decoded, translated, governed, committed. Run: node bench/otlp.ts
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createGovernor } from '../server/govern/index.ts';
import { LogIngest, MetricIngest, type OtlpSignal, TraceIngest, takeOtlp } from '../server/ingest/index.ts';
import type { Span } from '../server/model/index.ts';
import { openStore } from '../server/store/index.ts';
import { encodeTraces } from '../server/wire/index.ts';

const SERIES = 2000;
const ROUNDS = 30;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-otlp-'));
const store = await openStore({ directory });
const governor = createGovernor();
const metrics = await MetricIngest.open(store, governor, Date.now());
const ways = { metrics, logs: new LogIngest(store, governor), traces: new TraceIngest(store, governor) };
const startMs = Date.now() - 3_600_000;

const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function metricsBody(round: number, leak: boolean): Buffer {
  const dataPoints = Array.from({ length: SERIES }, (_, i) => ({
    attributes: [
      text('model', `model-${i % 20}`),
      text('shelf', `shelf-${Math.floor(i / 20)}`),
      ...(leak ? [text('request_id', `req-${(round * SERIES + i) * 7919}-8f3a${i}c1d2e`)] : []),
    ],
    startTimeUnixNano: `${startMs}000000`,
    timeUnixNano: `${startMs + round * 15_000}000000`,
    asDouble: round * 10 + i,
  }));
  const name = leak ? 'bench.leaking' : 'bench.clean';
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints };
  const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, sum }] }] }] };
  return Buffer.from(JSON.stringify(body));
}

function logsBody(round: number): Buffer {
  const logRecords = Array.from({ length: SERIES }, (_, i) => ({
    timeUnixNano: `${startMs + round * 1000}${String(i).padStart(6, '0')}`,
    severityNumber: 9,
    body: { stringValue: `request finished outcome=success tokens=${i} queue_ms=${(i * 7) % 900}` },
    traceId: String(i + 1).padStart(32, '0'),
    attributes: [text('outcome', 'success')],
  }));
  const resource = { attributes: [text('service.name', 'gateway')] };
  return Buffer.from(JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }));
}

function tracesBody(round: number): Buffer {
  const resource = { 'service.name': 'gateway', 'deployment.environment.name': 'prod' };
  const spans = Array.from(
    { length: SERIES },
    (_, i): Span => ({
      traceId: (round * SERIES + Math.floor(i / 8) + 1).toString(16).padStart(32, '0'),
      spanId: (i + 1).toString(16).padStart(16, '0'),
      parentSpanId: '',
      traceState: '',
      name: 'chat gpt',
      kind: 'client',
      startNs: BigInt(startMs + round * 1000) * 1_000_000n,
      durationNs: 1_000_000n,
      status: 'ok',
      statusMessage: '',
      serviceName: 'gateway',
      resource,
      scopeName: 'bench',
      scopeVersion: '1',
      attributes: { 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': i, outcome: 'success' },
      events: [],
      links: [],
    }),
  );
  return Buffer.from(encodeTraces(spans));
}

async function measure(
  name: string,
  signal: OtlpSignal,
  encoding: 'json' | 'protobuf',
  body: (round: number) => Buffer,
): Promise<void> {
  const bodies = Array.from({ length: ROUNDS }, (_, round) => body(round));
  const cpu = process.cpuUsage();
  const begun = performance.now();
  for (const bytes of bodies) {
    takeOtlp(ways, signal, bytes, encoding);
    await store.writer.commit();
  }
  const { user, system } = process.cpuUsage(cpu);
  const items = SERIES * ROUNDS;
  const perCpuSecond = Math.round(items / ((user + system) / 1e6));
  const perSecond = Math.round(items / ((performance.now() - begun) / 1000));
  console.log(`${name.padEnd(28)} ${perCpuSecond} items per CPU second, ${perSecond} items per second`);
}

await measure('metrics, JSON, clean', 'metrics', 'json', (round) => metricsBody(round, false));
await measure('metrics, JSON, leaking IDs', 'metrics', 'json', (round) => metricsBody(round, true));
await measure('logs, JSON', 'logs', 'json', logsBody);
await measure('traces, protobuf', 'traces', 'protobuf', tracesBody);
console.log(`series ${store.series.size}, memory ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
await store.close();
fs.rmSync(directory, { recursive: true, force: true });
