// How fast bytes become batches and back: `node bench/wire.ts`. Prints one line a case.
import { labelsFromRecord } from '../server/model/index.ts';
import {
  decodeLokiPush,
  decodeLokiPushJson,
  decodeOtlpLogs,
  decodeOtlpMetrics,
  decodeOtlpMetricsJson,
  decodeOtlpTraces,
  decodeOtlpTracesJson,
  decodeScrape,
  decodeWriteRequest,
  decodeWriteRequestV2,
  type ExposedFamily,
  encodeChunks,
  encodeExposition,
  encodeLokiPushJson,
  encodeReadFrames,
  encodeTraces,
  encodeWriteRequest,
  encodeWriteRequestV2,
  inflate,
  parseSeriesLabels,
  ScrapeBatch,
  type ScrapeProtocol,
  snappyCompress,
  toLogEntries,
  toSeries,
  tracesToJson,
  WriteRequestBatch,
  type WriteRequestColumns,
} from '../server/wire/index.ts';
import { lokiProto, oracleEncode, otlpProto } from '../server/wire/oracle.data.ts';

const SERIES = 2000;
const SECONDS_PER_CASE = 1;

/**
 * Runs `once` for about a second of CPU time after a warm-up and prints how many `unit`s it did per CPU second, the
 * collector's threads included: a number that a busy machine changes little.
 */
function measure(name: string, unit: string, unitsPerRun: number, once: () => void): void {
  for (let i = 0; i < 30; i++) once();
  const start = process.cpuUsage();
  let runs = 0;
  let seconds = 0;
  while (seconds < SECONDS_PER_CASE) {
    for (let i = 0; i < 5; i++) once();
    runs += 5;
    const used = process.cpuUsage(start);
    seconds = (used.user + used.system) / 1e6;
  }
  const rate = (runs * unitsPerRun) / seconds;
  console.log(`${name.padEnd(52)} ${(rate / 1e6).toFixed(2).padStart(7)} M ${unit} per CPU second`);
}

function fleetLabels(i: number): readonly string[] {
  return labelsFromRecord({
    __name__: 'inference_ttft_seconds_bucket',
    deployment: `dep-${i % 40}`,
    gpu_type: ['H100', 'H200', 'A100', 'L40S'][i % 4],
    instance: `node-${Math.floor(i / 97) % 200}:9400`,
    le: String(i % 11),
    model_version: `llm-${i % 12}-70b-v${i % 3}`,
    region: ['eu-west', 'us-east', 'ap-south'][i % 3],
    replica: String(i),
  });
}

function writeColumns(samplesPerSeries: number): WriteRequestColumns {
  const count = SERIES * samplesPerSeries;
  return {
    series: Array.from({ length: SERIES }, (_, i) => fleetLabels(i)),
    sampleSeries: Uint32Array.from({ length: count }, (_, i) => i % SERIES),
    sampleTimestampMs: Float64Array.from(
      { length: count },
      (_, i) => 1_764_000_000_000 + Math.floor(i / SERIES) * 15_000,
    ),
    sampleValue: Float64Array.from({ length: count }, (_, i) => i * 0.37),
  };
}

function benchRemoteWrite(): void {
  const batch = new WriteRequestBatch();
  for (const perSeries of [1, 10]) {
    const body = encodeWriteRequest(writeColumns(perSeries));
    const samples = SERIES * perSeries;
    measure(`remote write decode, ${perSeries} sample(s) a series`, 'samples', samples, () =>
      decodeWriteRequest(body, batch),
    );
  }
  const body = encodeWriteRequest(writeColumns(1));
  const packed = snappyCompress(body);
  measure('snappy, then decode', 'samples', SERIES, () => decodeWriteRequest(inflate(packed, 'snappy'), batch));
  decodeWriteRequest(body, batch);
  measure('parse labels (8) of a new series', 'series', SERIES, () => {
    for (let i = 0; i < batch.seriesCount; i++) parseSeriesLabels(batch.labelBytes(i));
  });
  const series = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const sampleSeries = Uint32Array.from({ length: SERIES }, (_, i) => i);
  const sampleTimestampMs = new Float64Array(SERIES).fill(1_764_000_000_000);
  const sampleValue = new Float64Array(SERIES).fill(0.5);
  measure('remote write encode', 'samples', SERIES, () => {
    encodeWriteRequest({ series, sampleSeries, sampleTimestampMs, sampleValue });
  });
}

function benchRemoteWriteV2(): void {
  const batch = new WriteRequestBatch();
  for (const perSeries of [1, 10]) {
    const body = encodeWriteRequestV2(writeColumns(perSeries));
    measure(`remote write 2.0 decode, ${perSeries} sample(s) a series`, 'samples', SERIES * perSeries, () =>
      decodeWriteRequestV2(body, batch),
    );
  }
  // What a scrape loop sends: the series of one target in a row, which share all labels but one or two.
  const shared = writeColumns(1);
  const neighbours = Array.from({ length: SERIES }, (_, i) => [...fleetLabels(97).slice(0, -2), 'replica', String(i)]);
  const body = encodeWriteRequestV2({ ...shared, series: neighbours });
  measure('remote write 2.0 decode, neighbours alike', 'samples', SERIES, () => decodeWriteRequestV2(body, batch));
  const packed = snappyCompress(encodeWriteRequestV2(writeColumns(1)));
  measure('remote write 2.0, snappy, then decode', 'samples', SERIES, () =>
    decodeWriteRequestV2(inflate(packed, 'snappy'), batch),
  );
  const columns = writeColumns(1);
  measure('remote write 2.0 encode', 'samples', SERIES, () => {
    encodeWriteRequestV2(columns);
  });
}

function benchScrapes(): void {
  const series = Array.from({ length: SERIES }, (_, i) => ({ labels: fleetLabels(i), value: i * 0.37 }));
  const family: ExposedFamily = { name: 'inference_ttft_seconds_bucket', type: 'gauge', help: 'Seconds.', series };
  const batch = new ScrapeBatch();
  const protocols: ScrapeProtocol[] = ['PrometheusText0.0.4', 'OpenMetricsText1.0.0', 'PrometheusProto'];
  for (const protocol of protocols) {
    const format = { protocol, escaping: 'allow-utf-8' } as const;
    const { body } = encodeExposition([family], format);
    const decode = () => decodeScrape(body, protocol, { scrapeMs: 1_764_000_000_000 }, batch);
    measure(`scrape decode, ${protocol}`, 'samples', SERIES, decode);
    measure(`scrape decode, ${protocol}`, 'bytes', body.length, decode);
    measure(`labels (8) of a new series, ${protocol}`, 'series', SERIES, () => {
      for (let i = 0; i < batch.seriesCount; i++) batch.seriesLabels(i);
    });
    measure(`exposition encode, ${protocol}`, 'samples', SERIES, () => {
      encodeExposition([family], format);
    });
  }
}

function benchRemoteRead(): void {
  const count = 24_000;
  const samples = {
    labels: fleetLabels(1),
    timestamps: Float64Array.from({ length: count }, (_, i) => 1_764_000_000_000 + i * 15_000),
    values: Float64Array.from({ length: count }, (_, i) => Math.round(1000 * Math.sin(i / 50)) / 10),
    histograms: undefined,
  };
  measure('remote read, XOR chunks', 'samples', count, () => {
    for (const _ of encodeChunks(samples));
  });
  measure('remote read, XOR chunks in frames', 'samples', count, () => {
    for (const _ of encodeReadFrames(0, [samples]));
  });
}

const T_NS = '1764000000123456789';
const RESOURCE = {
  attributes: pairs({ 'service.name': 'gateway', 'k8s.pod.name': 'gw-1', 'cloud.region': 'eu-west' }),
};

function pairs(record: Record<string, string | number>): object[] {
  return Object.entries(record).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { string_value: value } : { int_value: value },
  }));
}

function pointAttributes(i: number): object[] {
  return pairs({
    model_version: `llm-${i % 12}`,
    customer_tier: 'pro',
    gpu_type: 'H100',
    token_type: 'input',
    code: i % 5,
  });
}

function benchOtlpMetrics(): void {
  const points = 1000;
  const time = { time_unix_nano: T_NS, start_time_unix_nano: T_NS };
  const sums = Array.from({ length: points }, (_, i) => ({ ...time, attributes: pointAttributes(i), as_double: i }));
  const bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const histograms = Array.from({ length: points }, (_, i) => ({
    ...time,
    attributes: pointAttributes(i),
    count: 11,
    sum: i,
    bucket_counts: new Array(11).fill(1),
    explicit_bounds: bounds,
  }));
  const request = (metric: object) => ({
    resource_metrics: [{ resource: RESOURCE, scope_metrics: [{ metrics: [metric] }] }],
  });
  const sum = request({
    name: 'inference.requests',
    sum: { data_points: sums, aggregation_temporality: 2, is_monotonic: true },
  });
  const histogram = request({
    name: 'inference.ttft',
    unit: 's',
    histogram: { data_points: histograms, aggregation_temporality: 2 },
  });
  const sumBytes = oracleEncode(otlpProto, 'otlp.ExportMetricsServiceRequest', sum);
  const histogramBytes = oracleEncode(otlpProto, 'otlp.ExportMetricsServiceRequest', histogram);
  const json = Buffer.from(JSON.stringify(toCamel(sum)));
  const decoded = decodeOtlpMetrics(sumBytes);
  measure('OTLP sums (5 attributes) decode', 'points', points, () => decodeOtlpMetrics(sumBytes));
  measure('OTLP sums (5 attributes) decode, JSON', 'points', points, () => decodeOtlpMetricsJson(json));
  measure('OTLP sums to series', 'points', points, () => toSeries(decoded));
  measure('OTLP histograms (11 buckets) decode and to series', 'points', points, () =>
    toSeries(decodeOtlpMetrics(histogramBytes)),
  );
}

function benchTraces(): void {
  const spans = Array.from({ length: 1000 }, (_, i) => ({
    trace_id: Buffer.alloc(16, 1 + (i % 200)),
    span_id: Buffer.alloc(8, 1 + (i % 250)),
    parent_span_id: Buffer.alloc(8, 9),
    name: 'model_inference',
    kind: 3,
    start_time_unix_nano: T_NS,
    end_time_unix_nano: T_NS,
    attributes: [
      ...pointAttributes(i),
      ...pairs({
        'gen_ai.operation.name': 'chat',
        'gen_ai.usage.input_tokens': 900 + i,
        'gen_ai.usage.output_tokens': i,
      }),
    ],
    status: {},
  }));
  const bytes = oracleEncode(otlpProto, 'otlp.ExportTraceServiceRequest', {
    resource_spans: [{ resource: RESOURCE, scope_spans: [{ scope: { name: 'gateway' }, spans }] }],
  });
  const decoded = decodeOtlpTraces(bytes).spans;
  const json = Buffer.from(JSON.stringify(tracesToJson(decoded)));
  measure('OTLP spans (8 attributes) decode', 'spans', spans.length, () => decodeOtlpTraces(bytes));
  measure('OTLP spans (8 attributes) decode, JSON', 'spans', spans.length, () => decodeOtlpTracesJson(json));
  measure('OTLP spans encode', 'spans', spans.length, () => encodeTraces(decoded));
}

function benchLogs(): void {
  const line =
    'INFO 11-24 08:15:00 [metrics.py:455] Avg prompt throughput: 1201.3 tokens/s, Running: 42 reqs, Waiting: 3 reqs';
  const count = 1000;
  const records = Array.from({ length: count }, (_, i) => ({
    time_unix_nano: T_NS,
    severity_number: 9,
    body: { string_value: line },
    attributes: pointAttributes(i),
    trace_id: Buffer.alloc(16, 7),
  }));
  const bytes = oracleEncode(otlpProto, 'otlp.ExportLogsServiceRequest', {
    resource_logs: [{ resource: RESOURCE, scope_logs: [{ log_records: records }] }],
  });
  measure('OTLP logs (5 attributes) decode and to entries', 'lines', count, () => toLogEntries(decodeOtlpLogs(bytes)));
  const entries = Array.from({ length: count }, (_, i) => ({
    stream: ['app', `vllm-${i % 10}`, 'region', 'eu-west'],
    timestampNs: BigInt(T_NS) + BigInt(i),
    line,
    metadata: ['trace_id', 'abcdef'],
  }));
  const json = Buffer.from(encodeLokiPushJson(entries));
  const push = oracleEncode(lokiProto, 'logproto.PushRequest', {
    streams: [
      {
        labels: '{app="vllm", region="eu-west"}',
        entries: entries.map((e) => ({
          timestamp: { seconds: 1_764_000_000, nanos: 5 },
          line: e.line,
          structuredMetadata: [{ name: 'trace_id', value: 'abcdef' }],
        })),
      },
    ],
  });
  measure('Loki push decode, JSON', 'lines', count, () => decodeLokiPushJson(json));
  measure('Loki push decode, protobuf', 'lines', count, () => decodeLokiPush(push));
}

/** Snake case to the lower camel case of OTLP/JSON. */
function toCamel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCamel);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), toCamel(v)]),
  );
}

benchRemoteWrite();
benchRemoteWriteV2();
benchScrapes();
benchRemoteRead();
benchOtlpMetrics();
benchTraces();
benchLogs();
