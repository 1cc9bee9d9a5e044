import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Labels,
  labelsFromRecord,
  matchesAll,
  type NativeHistogram,
  type SeriesSamples,
} from '../server/model/index.ts';
import {
  decodeReadRequest,
  decodeWriteRequestV2,
  type ExposedFamily,
  encodeExposition,
  encodeReadFrames,
  encodeReadResponse,
  inflate,
  negotiateExposition,
  parseSeriesLabels,
  READ_RESPONSE_HEADERS,
  snappyCompress,
  WriteRequestBatch,
} from '../server/wire/index.ts';
import { temporaryDirectory } from './program.ts';

/*
 * The wire formats against a real Prometheus, without the program around them: it scrapes our expositions in every
 * format, writes to us with remote write 2.0, and reads from us as samples and as chunks.
 */

const PEERS =
  process.env.BAROGRAPH_PEERS ?? path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'barograph-peers');
const PROMETHEUS = path.join(PEERS, 'usr', 'bin', 'prometheus');
const POINTS = 300;
const STEP_MS = 15_000;

function histogram(count: number): NativeHistogram {
  return {
    schema: 2,
    zeroThreshold: 0.001,
    zeroCount: 1,
    count: 1 + 3 * count,
    sum: 2.5 * count,
    positiveIndices: Int32Array.of(-3, 0, 7),
    positiveCounts: Float64Array.of(count, count, count),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
  };
}

function families(): ExposedFamily[] {
  const labels = (record: Record<string, string>) => labelsFromRecord(record);
  const exemplar = { labels: ['trace_id', 'ff'], value: 0.5, timestampMs: Date.now() };
  return [
    {
      name: 'c_total',
      type: 'counter',
      help: 'A "counter" \\ of\ntwo lines.',
      series: [
        { labels: labels({ __name__: 'c_total', a: 'q"\\\n' }), value: 7, exemplar, startMs: Date.now() - 60_000 },
      ],
    },
    {
      name: 'my.gauge',
      type: 'gauge',
      series: [{ labels: labels({ __name__: 'my.gauge', 'x.y': 'ü' }), value: -0.25 }],
    },
    {
      name: 'h_seconds',
      type: 'histogram',
      unit: 'seconds',
      series: [
        { labels: labels({ __name__: 'h_seconds_bucket', le: '0.5' }), value: 2 },
        { labels: labels({ __name__: 'h_seconds_bucket', le: '+Inf' }), value: 3 },
        { labels: labels({ __name__: 'h_seconds_sum' }), value: 1.5 },
        { labels: labels({ __name__: 'h_seconds_count' }), value: 3 },
      ],
    },
    {
      name: 'n',
      type: 'histogram',
      series: [{ labels: labels({ __name__: 'n' }), value: 0, histogram: histogram(2) }],
    },
  ];
}

function stored(source: string, endMs: number): SeriesSamples[] {
  const timestamps = Float64Array.from({ length: POINTS }, (_, i) => endMs - (POINTS - 1 - i) * STEP_MS);
  const values = Float64Array.from({ length: POINTS }, (_, i) => Math.sin(i) * 100);
  const histograms = Array.from({ length: POINTS }, (_, i) => histogram(i + 1));
  return [
    { labels: ['__name__', 'read_hist', 'source', source], timestamps, values, histograms },
    { labels: ['__name__', 'read_float', 'source', source], timestamps, values, histograms: undefined },
  ];
}

interface Received {
  readonly series: Set<string>;
  readonly exemplars: Labels[];
  readonly types: Map<string, string>;
  histograms: number;
  requests: number;
}

/** A target and a remote storage in one, of nothing but our encoders and decoders. */
async function startPeer(endMs: number): Promise<{ server: http.Server; port: number; received: Received }> {
  const received: Received = { series: new Set(), exemplars: [], types: new Map(), histograms: 0, requests: 0 };
  const batch = new WriteRequestBatch();
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    if (request.url === '/metrics') {
      const format = negotiateExposition(request.headers.accept);
      response.setHeader('content-type', format.contentType);
      response.end(encodeExposition(families(), format).body);
      return;
    }
    if (request.url === '/write') {
      const report = decodeWriteRequestV2(inflate(body, 'snappy'), batch);
      for (let i = 0; i < batch.seriesCount; i++) received.series.add(parseSeriesLabels(batch.labelBytes(i)).join('|'));
      for (const { exemplar } of batch.exemplars) received.exemplars.push(exemplar.labels);
      for (const { metric, type } of batch.metadata) received.types.set(metric, type);
      received.histograms += report.histograms;
      received.requests++;
      response.statusCode = report.refusedCount === 0 ? 204 : 400;
      response.setHeader('x-prometheus-remote-write-samples-written', report.samples);
      response.setHeader('x-prometheus-remote-write-histograms-written', report.histograms);
      response.setHeader('x-prometheus-remote-write-exemplars-written', report.exemplars);
      response.end();
      return;
    }
    const { queries, responseType } = decodeReadRequest(inflate(body, 'snappy'));
    const source = request.url === '/read-samples' ? 'samples' : 'chunks';
    const results = queries.map(({ matchers }) =>
      stored(source, endMs).filter(({ labels }) => matchesAll(matchers, labels)),
    );
    expect(responseType).toBe('streamed_xor_chunks');
    if (source === 'samples') {
      for (const [name, value] of Object.entries(READ_RESPONSE_HEADERS.samples)) response.setHeader(name, value);
      response.end(snappyCompress(encodeReadResponse(results)));
      return;
    }
    for (const [name, value] of Object.entries(READ_RESPONSE_HEADERS[responseType])) response.setHeader(name, value);
    results.forEach((series, i) => {
      for (const frame of encodeReadFrames(i, series)) response.write(frame);
    });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, received };
}

function configFor(port: number): string {
  const url = `http://127.0.0.1:${port}`;
  const jobs = Object.entries({
    proto: 'PrometheusProto',
    om: 'OpenMetricsText1.0.0',
    text1: 'PrometheusText1.0.0',
    text0: 'PrometheusText0.0.4',
  });
  const scrapes = jobs.map(
    ([job, protocol]) =>
      `- {job_name: ${job}, scrape_protocols: [${protocol}], static_configs: [{targets: ['127.0.0.1:${port}']}]}`,
  );
  return `
global: {scrape_interval: 1s}
scrape_configs:
${scrapes.join('\n')}
remote_write:
- {url: '${url}/write', protobuf_message: io.prometheus.write.v2.Request, send_exemplars: true, send_native_histograms: true, queue_config: {batch_send_deadline: 1s}}
remote_read:
- {url: '${url}/read-chunks', read_recent: true, required_matchers: {source: chunks}}
- {url: '${url}/read-samples', read_recent: true, required_matchers: {source: samples}}
`;
}

describe('a real Prometheus', () => {
  it('scrapes, remote-writes 2.0 and remote-reads', async (context) => {
    if (!fs.existsSync(PROMETHEUS)) return context.skip('no Prometheus here; see remote-write.test.ts');
    const endMs = Math.floor(Date.now() / 1000) * 1000 - 60_000;
    const { server, port, received } = await startPeer(endMs);
    const folder = temporaryDirectory();
    const own = 20_000 + Math.floor(Math.random() * 20_000);
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), configFor(port));
    const prometheus = spawn(PROMETHEUS, [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${own}`,
      '--enable-feature=native-histograms,exemplar-storage,metadata-wal-records',
    ]);
    const ask = async (query: string, at = Date.now() / 1000): Promise<string[]> => {
      const parameters = new URLSearchParams({ query, time: String(at) });
      const answer = await fetch(`http://127.0.0.1:${own}/api/v1/query?${parameters}`);
      const { status, data, error } = (await answer.json()) as {
        status: string;
        error?: string;
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      expect(status, error).toBe('success');
      return data.result.map(({ metric, value }) => `${metric.job ?? metric.source ?? ''} ${value[1]}`).sort();
    };
    try {
      await until(async () => received.requests > 1 && (await ask('count(up == 1)')).join() === ' 4', 30_000);
      expect(await ask('up')).toEqual(['om 1', 'proto 1', 'text0 1', 'text1 1']);
      expect(await ask('c_total{a="q\\"\\\\\\n"}')).toEqual(['om 7', 'proto 7', 'text0 7', 'text1 7']);
      // Prometheus asks for UTF-8 names in the newer text formats only.
      expect(await ask('{"my.gauge", "x.y"="ü"}')).toEqual(['om -0.25', 'text1 -0.25']);
      expect(await ask('my_gauge{x_y="ü"}')).toEqual(['proto -0.25', 'text0 -0.25']);
      expect(await ask('h_seconds_bucket{le="0.5"}')).toEqual(['om 2', 'proto 2', 'text0 2', 'text1 2']);
      expect(await ask('histogram_count(n)')).toEqual(['proto 7']);
      expect(await ask('histogram_sum(n)')).toEqual(['proto 5']);

      await until(async () => received.exemplars.length > 0 && received.histograms > 0, 20_000);
      const series = [...received.series];
      expect(series).toContain(`__name__|c_total|a|q"\\\n|instance|127.0.0.1:${port}|job|om`);
      expect(series).toContain(`__name__|n|instance|127.0.0.1:${port}|job|proto`);
      expect(series).toContain(`__name__|my.gauge|instance|127.0.0.1:${port}|job|om|x.y|ü`);
      expect(received.exemplars[0]).toEqual(['trace_id', 'ff']);

      const at = endMs / 1000;
      const sum = stored('', endMs)[1].values.reduce((a, b) => a + b, 0);
      for (const source of ['chunks', 'samples']) {
        const range = `{source="${source}"}[2h]`;
        expect(await ask(`count_over_time(read_float${range})`, at)).toEqual([`${source} ${POINTS}`]);
        const [got] = await ask(`sum_over_time(read_float${range})`, at);
        expect(Number(got.split(' ')[1])).toBeCloseTo(sum, 6);
        expect(await ask(`count_over_time(read_hist${range})`, at)).toEqual([`${source} ${POINTS}`]);
        expect(await ask(`histogram_count(read_hist{source="${source}"})`, at)).toEqual([
          `${source} ${1 + 3 * POINTS}`,
        ]);
        expect(await ask(`histogram_sum(sum_over_time(read_hist${range}))`, at)).toEqual([
          `${source} ${(2.5 * POINTS * (POINTS + 1)) / 2}`,
        ]);
      }
    } finally {
      prometheus.kill('SIGKILL');
      server.closeAllConnections();
      server.close();
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});

async function until(isTrue: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      if (await isTrue()) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error(`still not true after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
