// What the parts of governing cost: `node bench/govern-parts.ts`. Prints nanoseconds an operation; the lowest of five rounds.
import { Aggregator, cardinalityOverview, createGovernor } from '../server/govern/index.ts';
import type { Labels, LogEntry, Span } from '../server/model/index.ts';

function measure(name: string, operations: number, run: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const began = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - began) / operations);
  }
  console.log(`${name.padEnd(60)} ${best.toFixed(1).padStart(9)} ns`);
}

function benchAggregator(): void {
  const series = 10_000;
  const steps = 50;
  const aggregator = new Aggregator();
  const slots = Array.from({ length: series }, (_, i) => aggregator.input(aggregator.output(i % 100, 'counter')));
  let now = 0;
  measure('add: kept series, 10,000 inputs to 100 counters', series * steps, () => {
    for (let step = 0; step < steps; step++) {
      now += 15_000;
      for (let i = 0; i < series; i++) aggregator.add(slots[i], now, now + i, 0);
      aggregator.drain(ignore, ignore);
    }
  });
  const hashed = new Aggregator();
  const output = hashed.output(1, 'counter');
  let next = 0;
  measure('inputByHash + add: every series new, table full (evicting)', 1_000_000, () => {
    for (let i = 0; i < 1_000_000; i++) {
      const id = next++;
      hashed.add(hashed.inputByHash(output, Math.imul(id, 0x9e3779b1), id), Math.floor(id / 1000), 1, 0);
    }
    hashed.drain(ignore, ignore);
    hashed.drainInputs(ignore);
  });
  const known = new Aggregator();
  const knownOutput = known.output(1, 'counter');
  measure('inputByHash + add: 100,000 known series', 1_000_000, () => {
    for (let step = 0; step < 10; step++) {
      now += 15_000;
      for (let i = 0; i < 100_000; i++)
        known.add(known.inputByHash(knownOutput, Math.imul(i, 0x9e3779b1), i), now, now, 0);
      known.drain(ignore, ignore);
    }
  });
  for (const rule of ['sum', 'max', 'last'] as const) {
    const gauges = new Aggregator();
    const gaugeSlots = Array.from({ length: series }, (_, i) => gauges.input(gauges.output(i % 100, rule)));
    measure(`add: gauge ${rule}, 10,000 inputs to 100 outputs`, series * steps, () => {
      for (let step = 0; step < steps; step++) {
        now += 15_000;
        for (let i = 0; i < series; i++) gauges.add(gaugeSlots[i], now, (now * 31 + i * 17) % 1000, 0);
        gauges.drain(ignore, ignore);
      }
    });
  }
}

function benchHistograms(): void {
  const aggregator = new Aggregator();
  const output = aggregator.output(1, 'counter');
  const slots = Array.from({ length: 100 }, () => aggregator.input(output));
  let round = 0;
  const positiveIndices = Int32Array.from({ length: 60 }, (_, i) => i);
  measure('addHistogram: 100 inputs of 60 buckets to one output', 10_000, () => {
    for (let step = 0; step < 100; step++) {
      round++;
      for (const slot of slots) {
        aggregator.addHistogram(
          slot,
          round * 15_000,
          {
            schema: 3,
            zeroThreshold: 1e-9,
            zeroCount: 0,
            count: 60 * round,
            sum: round,
            positiveIndices,
            positiveCounts: new Float64Array(60).fill(round),
            negativeIndices: new Int32Array(0),
            negativeCounts: new Float64Array(0),
            customValues: undefined,
            counterResetHint: 'unknown',
          },
          0,
        );
      }
      aggregator.drain(ignore, ignore);
    }
  });
}

function benchJudges(): void {
  const governor = createGovernor();
  const clean = (i: number): Labels => [
    ...['__name__', 'inference_requests_total', 'deployment', `chat-${i % 50}`, 'environment', 'production'],
    ...[
      'instance',
      `10.0.${i % 250}.7:9400`,
      'job',
      'llm-gateway',
      'model_version',
      'meta-llama/Llama-3.1-70B-Instruct',
    ],
    ...['outcome', 'ok', 'region', 'eu-central-1'],
  ];
  let n = 0;
  measure('judgeSeries: clean series of 8 labels', 50_000, () => {
    for (let i = 0; i < 50_000; i++) governor.judgeSeries(clean(n++), 'counter', 'remote_write');
  });
  measure('judgeSeries: a request ID by name and one by value', 50_000, () => {
    for (let i = 0; i < 50_000; i++) {
      const id = (n++).toString(16).padStart(12, '0');
      const leaky = [...clean(i), 'request_id', id, 'tenant', `550e8400-e29b-41d4-a716-${id}`];
      governor.judgeSeries(leaky, 'counter', 'remote_write');
    }
  });
  benchCensus();
  const span = benchSpan();
  measure('governSpan: 12 attributes, one event, nothing to remove', 20_000, () => {
    for (let i = 0; i < 20_000; i++) governor.governSpan(span, 'otlp');
  });
  const lines = {
    'an engine line':
      'INFO 11-24 08:16:02 [loggers.py:123] Engine 000: Avg prompt throughput: 512.3 tokens/s, Avg generation throughput: 1024.9 tokens/s, Running: 12 reqs, Waiting: 0 reqs, GPU KV cache usage: 41.2%, Prefix cache hit rate: 63.0%',
    'a JSON event':
      '{"event":"request.finished","prompt_class":"chat","response_tokens":812,"outcome":"ok","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","model_version":"gpt-4o-2024-08-06","region":"eu-central-1"}',
    'a request log with its prompt': `INFO Received request cmpl-1: prompt: '${'tell me about dragons and more '.repeat(20)}', params: SamplingParams(n=1, temperature=0.7), lora_request: None.`,
  };
  for (const [name, line] of Object.entries(lines)) {
    const entry: LogEntry = { stream: ['job', 'vllm', 'node', 'gpu-1'], timestampNs: 1n, line, metadata: [] };
    measure(`governLog: ${name} (${line.length} characters)`, 20_000, () => {
      for (let i = 0; i < 20_000; i++) governor.governLog(entry, 'loki_push');
    });
  }
  const records = benchRecords();
  measure("governLog: a gateway's OTLP record, 5 of 9 attributes raised", 20_000, () => {
    for (let i = 0; i < 20_000; i++) governor.governLog(records[i % records.length], 'otlp');
  });
}

/** What counting adds to judging a leaking series, and what a look at a million offered series takes. */
function benchCensus(): void {
  const { census } = createGovernor();
  const series = Array.from({ length: 50_000 }, (_, i): Labels => {
    const id = i.toString(16).padStart(12, '0');
    return ['__name__', 'app_requests_total', 'job', 'shop', 'region', `eu-${i % 4}`, 'request_id', id];
  });
  measure('census: a series from which one label is removed', series.length, () => {
    for (const labels of series) {
      census.begin(labels, 'app_requests_total', 'remote_write');
      census.note('request_id', 'removed', 'request_id', labels[7]);
    }
  });
  const governor = createGovernor();
  for (let i = 0; i < 1_000_000; i++) {
    const labels = ['__name__', `app_${i % 3000}_total`, 'job', `job-${i % 100}`, 'request_id', `r-${i}`];
    governor.judgeSeries(labels, 'counter', 'remote_write');
  }
  measure('cardinalityOverview: 1,000,000 offered series of 3,000 metrics', 1, () => {
    cardinalityOverview(governor, { limit: 200, search: '', growth: 'day', nowMs: 0 });
  });
  let next = 0;
  measure('cardinalityOverview: the same, each metric changed', 1, () => {
    for (let i = 0; i < 3000; i++) {
      const labels = ['__name__', `app_${i}_total`, 'job', 'job-1', 'request_id', `n-${next++}`];
      governor.judgeSeries(labels, 'counter', 'remote_write');
    }
    cardinalityOverview(governor, { limit: 200, search: '', growth: 'day', nowMs: 0 });
  });
}

/** Records of one resource, of 24 models and tiers. */
function benchRecords(): LogEntry[] {
  const stream = [
    ...['cloud_region', 'eu-central-1', 'deployment_environment_name', 'production', 'k8s_deployment_name', 'chat'],
    ...['k8s_namespace_name', 'inference', 'k8s_pod_name', 'gateway-0', 'service_instance_id', 'gateway-0'],
    ...['service_name', 'llm-gateway'],
  ];
  return Array.from({ length: 24 }, (_, i) => ({
    stream,
    timestampNs: 1n,
    line: '{"event":"request.finished","prompt_class":"chat","response_tokens":812,"outcome":"ok"}',
    metadata: [
      ...['customer_tier', `tier-${i % 3}`, 'deployment', 'chat', 'detected_level', 'info', 'gpu_type', 'NVIDIA H100'],
      ...['model_version', `llama-3.1-${i % 8}b`, 'region', 'eu-central-1', 'severity_number', '9'],
      ...['span_id', '00f067aa0ba902b7', 'trace_id', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ],
  }));
}

function benchSpan(): Span {
  return {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    parentSpanId: '',
    traceState: '',
    name: 'chat gpt-4o',
    kind: 'client',
    startNs: 1n,
    durationNs: 1n,
    status: 'ok',
    statusMessage: '',
    serviceName: 'llm-gateway',
    resource: {
      'service.name': 'llm-gateway',
      'k8s.pod.name': 'gateway-7d9f8b6c5d-x2x4z',
      'cloud.region': 'eu-central-1',
    },
    scopeName: 'gateway',
    scopeVersion: '1.4.2',
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o-2024-08-06',
      'gen_ai.response.id': 'chatcmpl-9xYzAbCdEfGhIjKlMnOpQrStUvWxY',
      'gen_ai.request.max_tokens': 512,
      'gen_ai.usage.input_tokens': 812,
      'gen_ai.usage.output_tokens': 93,
      'gen_ai.response.finish_reasons': ['stop'],
      'server.address': 'api.openai.com',
      'server.port': 443,
      'http.route': '/v1/chat/completions',
    },
    events: [{ timeNs: 1n, name: 'first_token', attributes: { stage: 'gateway' } }],
    links: [],
  };
}

function ignore(): void {}

benchAggregator();
benchHistograms();
benchJudges();
