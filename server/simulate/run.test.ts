import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../model/generated/conventions.ts';
import { bitsOf, isStale, type LogEntry, labelsToRecord, type Span } from '../model/index.ts';
import {
  decodeLokiPushJson,
  decodeOtlpLogs,
  decodeOtlpMetrics,
  decodeOtlpTraces,
  decodeWriteRequest,
  inflate,
  type MetricPoints,
  type OtlpLogRecord,
  parseSeriesLabels,
  toSeries,
  WriteRequestBatch,
} from '../wire/index.ts';
import type { SimulateReport } from './options.ts';
import { runSimulation } from './run.ts';

const NOW = Date.UTC(2026, 10, 24, 10);
const MINUTE = 60_000;

/** Everything that was sent, decoded. */
interface Received {
  /** Samples by series, `name{label="value",…}`, in the order of arrival. */
  readonly samples: Map<string, { timestampMs: number; value: number; stale: boolean }[]>;
  readonly points: MetricPoints[];
  readonly spans: Span[];
  readonly records: OtlpLogRecord[];
  readonly lines: LogEntry[];
  readonly statuses: number[];
}

/** A receiver that decodes what it gets; `refuse` may answer with another status first. */
async function startReceiver(refuse: (request: number) => number | undefined = () => undefined) {
  const received: Received = { samples: new Map(), points: [], spans: [], records: [], lines: [], statuses: [] };
  const batch = new WriteRequestBatch();
  let requests = 0;
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const refused = refuse(requests++);
      const status = refused ?? take(request.url ?? '', Buffer.concat(chunks), received, batch);
      received.statuses.push(status);
      response.writeHead(status, refused === undefined ? {} : { 'retry-after': '0' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { target, received, close: () => server.close() };
}

function take(url: string, body: Buffer, into: Received, batch: WriteRequestBatch): number {
  switch (url) {
    case '/api/v1/write':
      decodeWriteRequest(inflate(body, 'snappy'), batch);
      takeSamples(batch, into);
      return 204;
    case '/loki/api/v1/push':
      into.lines.push(...decodeLokiPushJson(body));
      return 204;
    case '/v1/metrics':
      into.points.push(toSeries(decodeOtlpMetrics(body)));
      return 200;
    case '/v1/traces':
      into.spans.push(...decodeOtlpTraces(body).spans);
      return 200;
    case '/v1/logs':
      into.records.push(...decodeOtlpLogs(body));
      return 200;
    default:
      return 404;
  }
}

function takeSamples(batch: WriteRequestBatch, into: Received): void {
  const keys = Array.from({ length: batch.seriesCount }, (_, i) => {
    const { __name__, ...labels } = labelsToRecord(parseSeriesLabels(batch.labelBytes(i)));
    return `${__name__}${JSON.stringify(labels)}`;
  });
  const bits = bitsOf(batch.sampleValue);
  for (let i = 0; i < batch.sampleCount; i++) {
    const key = keys[batch.sampleSeries[i]];
    let series = into.samples.get(key);
    if (!series) into.samples.set(key, (series = []));
    series.push({ timestampMs: batch.sampleTimestampMs[i], value: batch.sampleValue[i], stale: isStale(bits, i) });
  }
}

/** The last value of each series of a name that came by OTLP, with its labels. */
function lastPoints(received: Received, name: string) {
  const last = new Map<
    string,
    { labels: Record<string, string>; value: number; startMs: number; timestampMs: number }
  >();
  for (const batch of received.points) {
    for (let i = 0; i < batch.pointCount; i++) {
      const labels = labelsToRecord(batch.series[batch.pointSeries[i]].labels);
      if (labels.__name__ !== name) continue;
      const point = { labels, value: batch.value[i], startMs: batch.startMs[i], timestampMs: batch.timestampMs[i] };
      last.set(JSON.stringify(labels), point);
    }
  }
  return [...last.values()];
}

function sum(points: readonly { value: number }[]): number {
  return points.reduce((total, point) => total + point.value, 0);
}

describe('a backfill of 20 minutes', () => {
  let received: Received;
  let report: SimulateReport;
  let close: () => void;

  beforeAll(async () => {
    const receiver = await startReceiver((request) => (request === 3 ? 503 : undefined));
    received = receiver.received;
    close = receiver.close;
    report = await runSimulation({ target: receiver.target, seed: 3, backfillMs: 20 * MINUTE, nowMs: NOW });
  });
  afterAll(() => close());

  it('is acknowledged whole, after one refusal that was for a moment', () => {
    for (const { items, acknowledged, refused } of Object.values(report.counts)) {
      expect(items).toBeGreaterThan(0);
      expect(acknowledged).toBe(items);
      expect(refused).toEqual({});
    }
    expect(received.statuses.filter((status) => status === 503).length).toBe(1);
    const samples = [...received.samples.values()].reduce((count, series) => count + series.length, 0);
    expect(samples).toBe(report.counts.samples.items);
    expect(received.spans.length).toBe(report.counts.spans.items);
    expect(received.records.length).toBe(report.counts.records.items);
    expect(received.lines.length).toBe(report.counts.lines.items);
  });

  it('sends every series in order, 15 s apart, within the time that it fills', () => {
    for (const [key, series] of received.samples) {
      for (let i = 1; i < series.length; i++) {
        const stepMs = series[i].timestampMs - series[i - 1].timestampMs;
        // The engine that runs out of memory isn't there to be scraped for a while.
        if (key.startsWith('vllm:') && key.includes('"pod":"chat-fast-eu-west-0"')) {
          expect(stepMs > 0 && stepMs % 15_000 === 0, key).toBe(true);
        } else expect(stepMs, key).toBe(15_000);
      }
      expect(series[0].timestampMs).toBeGreaterThan(NOW - 20 * MINUTE);
      expect(series.at(-1)!.timestampMs).toBeLessThanOrEqual(NOW);
    }
  });

  it('stays within about 4,000 series of a scrape', () => {
    const otlp = new Set(
      received.points.flatMap((batch) =>
        batch.series.filter(({ labels }) => !labels.includes('request_id')).map(({ labels }) => labels.join('\u0000')),
      ),
    );
    expect(received.samples.size + otlp.size).toBeLessThan(4600);
    expect(received.samples.size).toBeGreaterThan(1500);
  });

  it('counts the same requests in metrics, logs and the report', () => {
    const byOutcome: Record<string, number> = {};
    for (const { labels, value } of lastPoints(received, 'inference_requests_total')) {
      byOutcome[labels.outcome] = (byOutcome[labels.outcome] ?? 0) + value;
    }
    expect(byOutcome).toEqual(report.outcomes);
    expect(sum(lastPoints(received, 'inference_total_latency_seconds_count'))).toBe(report.requests);
    const finished = received.records.filter(({ body }) => String(body).includes('"event":"request.finished"'));
    expect(finished.length).toBe(report.requests);
  });

  it('gives data points simulated times', () => {
    for (const { startMs, timestampMs } of lastPoints(received, 'inference_ttft_seconds_count')) {
      expect(startMs).toBe(NOW - 20 * MINUTE);
      expect(timestampMs).toBe(NOW);
    }
  });

  it('ends up with the contract’s names in Prometheus', () => {
    const names = new Set(
      received.points.flatMap((batch) => batch.series.map(({ labels }) => labelsToRecord(labels).__name__)),
    );
    for (const name of names) {
      const known = name === 'target_info' || name in METRICS || name.replace(/_(bucket|sum|count)$/, '') in METRICS;
      expect(known, name).toBe(true);
    }
  });

  it('sends classic buckets where the contract wants them and native histograms elsewhere', () => {
    expect(lastPoints(received, 'inference_ttft_seconds_bucket').length).toBeGreaterThan(0);
    const native = received.points.flatMap((batch) =>
      batch.histograms.map(({ series }) => labelsToRecord(batch.series[series].labels).__name__),
    );
    expect(new Set(native)).toContain('inference_token_count');
    expect(new Set(native)).toContain('inference_queue_seconds');
  });

  it('leaks a request ID from the gateway of one deployment, in one metric', () => {
    const leaking = new Set<string>();
    for (const batch of received.points) {
      for (const { labels } of batch.series) {
        const { request_id, __name__, deployment, region } = labelsToRecord(labels);
        if (request_id !== undefined) leaking.add(`${__name__} ${deployment} ${region}`);
      }
    }
    expect([...leaking]).toEqual(['inference_cost_dollars_total chat-fast us-east']);
  });

  it('writes the semantic path of kept requests with GenAI attributes, and no content', () => {
    const byTrace = Map.groupBy(received.spans, (span) => span.traceId);
    expect(byTrace.size).toBeGreaterThan(report.requests * 0.07);
    const whole = [...byTrace.values()].find(
      (spans) => spans.length === 9 && spans.some(({ name }) => name === 'vector_search'),
    )!;
    const names = whole.toSorted((a, b) => Number(a.startNs - b.startNs)).map(({ name }) => name);
    expect(new Set(names)).toEqual(
      new Set([
        'gateway',
        'authenticate',
        'vector_search',
        'prompt_build',
        'model_inference',
        'queue',
        'prefill',
        'decode',
        'output_filtering',
      ]),
    );
    const gateway = whole.find(({ name }) => name === 'gateway')!;
    const inference = whole.find(({ name }) => name === 'model_inference')!;
    expect(inference.parentSpanId).toBe(gateway.spanId);
    expect(whole.find(({ name }) => name === 'decode')!.parentSpanId).toBe(inference.spanId);
    expect(inference.attributes).toMatchObject({ 'gen_ai.operation.name': 'chat', engine: 'vllm' });
    expect(gateway.resource).toMatchObject({ 'service.name': 'llm-gateway' });
    const keys = new Set(received.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    for (const key of keys) expect(key).not.toMatch(/messages|content|instructions|query\.text/);
  });

  it('writes log records that lead to their traces', () => {
    const traces = new Set(received.spans.map(({ traceId }) => traceId));
    const failed = received.records.filter(({ severityText }) => severityText === 'ERROR');
    expect(failed.length).toBeGreaterThan(0);
    for (const { traceId, body } of failed) {
      expect(traces.has(traceId)).toBe(true);
      expect(JSON.parse(String(body))).toMatchObject({ event: 'request.finished', trace_id: traceId });
    }
  });

  it('pushes engine lines as vLLM writes them, with few stream labels', () => {
    const stats = received.lines.find(({ line }) => line.includes('Avg generation throughput'))!;
    expect(stats.line).toMatch(
      /Engine 000: Avg prompt throughput: [\d.]+ tokens\/s, Avg generation throughput: [\d.]+ tokens\/s, Running: \d+ reqs, Waiting: \d+ reqs, GPU KV cache usage: [\d.]+%, Prefix cache hit rate: [\d.]+%$/,
    );
    expect(labelsToRecord(stats.stream)).toMatchObject({ service_name: 'vllm', namespace: 'inference' });
    const streams = new Set(received.lines.map(({ stream }) => stream.join(' ')));
    expect(streams.size).toBeLessThan(20);
  });

  it('exposes vLLM and DCGM under their own names', () => {
    const names = new Set([...received.samples.keys()].map((key) => key.slice(0, key.indexOf('{'))));
    for (const name of [
      'up',
      'vllm:time_to_first_token_seconds_bucket',
      'vllm:kv_cache_usage_perc',
      'vllm:num_preemptions_total',
      'DCGM_FI_DEV_FB_USED',
      'DCGM_FI_DEV_THERMAL_VIOLATION',
      'DCGM_FI_PROF_SM_OCCUPANCY',
      'node_load1',
    ]) {
      expect(names).toContain(name);
    }
  });
});

describe('runSimulation', () => {
  it('ends an engine’s series with staleness markers when it goes, and begins others under the new model', async () => {
    const { target, received, close } = await startReceiver();
    await runSimulation({ target, seed: 3, backfillMs: 20 * MINUTE, nowMs: NOW, scenario: 'deploy', rate: 0.5 });
    close();
    const running = [...received.samples].filter(
      ([key]) => key.startsWith('vllm:num_requests_running') && key.includes('chat-fast-eu-west-0'),
    );
    const versions = running.map(([key]) => /"model_name":"([^"]+)"/.exec(key)?.[1]);
    expect(versions.toSorted()).toEqual(['qwen3-14b-v1', 'qwen3-14b-v2']);
    for (const [, series] of running) expect(series.some(({ stale }) => stale)).toBe(true);
    const down = [...received.samples].find(([key]) => key.startsWith('up') && key.includes('chat-fast-eu-west-0'))!;
    expect(down[1].some(({ value }) => value === 0)).toBe(true);
  });

  it('counts without sending in a dry run, and comes to the same', async () => {
    const options = { target: 'http://127.0.0.1:9', seed: 5, backfillMs: 5 * MINUTE, nowMs: NOW };
    const dry = await runSimulation({ ...options, dryRun: true });
    const { target, received, close } = await startReceiver();
    const wet = await runSimulation({ ...options, target });
    close();
    expect(dry.fingerprint).toBe(wet.fingerprint);
    expect(dry.counts.samples.items).toBe(wet.counts.samples.acknowledged);
    expect(dry.counts.spans.items).toBe(received.spans.length);
    expect(dry.counts.samples.acknowledged).toBe(0);
  });

  it('counts refusals by status and goes on', async () => {
    const { target, close } = await startReceiver(() => 400);
    const report = await runSimulation({ target, seed: 5, backfillMs: 2 * MINUTE, nowMs: NOW });
    close();
    for (const { items, refused } of Object.values(report.counts)) expect(refused).toEqual({ 400: items });
  });

  it('goes on in real time until it is told to stop, and tells how far it is', async () => {
    const { target, received, close } = await startReceiver();
    const stop = new AbortController();
    const phases = new Set<string>();
    const report = await runSimulation({
      target,
      seed: 5,
      backfillMs: MINUTE,
      realTime: true,
      scrapeMs: 1000,
      rate: 4,
      signal: stop.signal,
      onProgress: ({ phase }) => {
        phases.add(phase);
        if (phase === 'live') setTimeout(() => stop.abort(), 300);
      },
    });
    close();
    expect([...phases]).toEqual(['backfill', 'live', 'done']);
    expect(report.counts.records.acknowledged).toBe(received.records.length);
    expect(received.statuses.every((status) => status < 300)).toBe(true);
  });

  it.each([
    [{ target: 'localhost:7070' }, /target: got "localhost:7070", accepted is an http:\/\/ origin/],
    [{ rate: 0 }, /rate: got 0, accepted is a number from 0.001 to 100/],
    [{ scenario: 'rain' }, /scenario: got "rain", accepted is demo, calm, thermal/],
    [{ trace: path.join(os.tmpdir(), 'no-such-trace.csv') }, /no-such-trace.csv: got a file that cannot be read/],
  ])('refuses %j', async (options, message) => {
    await expect(runSimulation({ target: 'http://127.0.0.1:9', dryRun: true, ...options })).rejects.toThrow(message);
  });

  it('replays a trace from a file', async () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-trace-')), 'trace.csv');
    const rows = Array.from({ length: 60 }, (_, i) => `2026-01-01 00:00:${String(i).padStart(2, '0')}.0,${100 + i},5`);
    fs.writeFileSync(file, `TIMESTAMP,ContextTokens,GeneratedTokens\n${rows.join('\n')}\n`);
    const base = { target: 'http://127.0.0.1:9', dryRun: true, nowMs: NOW, scenario: 'calm', trace: file };
    const once = await runSimulation({ ...base, backfillMs: 5 * MINUTE });
    const twice = await runSimulation({ ...base, backfillMs: 5 * MINUTE, rate: 2 });
    expect(once.requests).toBeGreaterThan(285);
    expect(once.requests).toBeLessThanOrEqual(301);
    expect(twice.requests / once.requests).toBeCloseTo(2, 1);
  });
});
