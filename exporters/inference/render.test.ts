import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseFormat } from '../exposition/index.ts';
import { type Engine, METRICS, type MetricName } from '../generated/conventions.ts';
import { COUNTED_TWICE, CountingPlace } from './count-at.ts';
import { dnsDiscovery } from './discovery/dns.ts';
import { engineOfImage, type Pod, podTarget } from './discovery/kubernetes.ts';
import { ENGINE_TABLES } from './engine-table.ts';
import { likelyName } from './likely-name.ts';
import { readOllama } from './ollama.ts';
import { inferenceOtlpRequests } from './otlp-metrics.ts';
import { type Exposed, renderMetrics } from './render.ts';
import { waitOf } from './routes.ts';
import { TargetSeries } from './target-series.ts';

function exposed(engine: Engine, file: string, replica: string): Exposed {
  const series = new TargetSeries(ENGINE_TABLES[engine], { engine, labels: { replica }, fallback: {} });
  series.read(fs.readFileSync(path.join(import.meta.dirname, 'testdata', file)), 1_764_000_000_000);
  return { engine, series };
}

const fleet = () => [
  exposed('vllm', 'vllm-0.30.txt', 'a'),
  exposed('tgi', 'tgi-3.3.7.txt', 'b'),
  exposed('litellm', 'litellm-1.80.txt', 'c'),
];

describe('renderMetrics', () => {
  it('writes each family once, whole and with its type, in both formats', () => {
    for (const format of ['text', 'openmetrics'] as const) {
      const lines = renderMetrics(fleet(), [], new CountingPlace('both'), format).trimEnd().split('\n');
      const families = lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
      expect(new Set(families).size).toBe(families.length);
      let current = '';
      for (const line of lines) {
        if (line.startsWith('# TYPE')) current = line.split(' ')[2];
        else if (!line.startsWith('#')) expect(line.startsWith(current), line).toBe(true);
      }
      expect(lines.at(-1) === '# EOF').toBe(format === 'openmetrics');
      expect(lines.includes('# TYPE inference_requests counter')).toBe(format === 'openmetrics');
    }
  });

  it('goes by what a scraper prefers', () => {
    expect(chooseFormat(undefined)).toBe('text');
    expect(chooseFormat('*/*')).toBe('text');
    expect(chooseFormat('application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3')).toBe(
      'openmetrics',
    );
    expect(chooseFormat('application/openmetrics-text;q=0.2,text/plain;q=0.3')).toBe('text');
  });

  it('waits no longer than the scraper does', () => {
    expect(waitOf('10')).toBe(9500);
    expect(waitOf('0.2')).toBe(100);
    expect(waitOf(undefined)).toBe(8000);
    expect(waitOf('nonsense')).toBe(8000);
  });
});

describe('where requests are counted', () => {
  it('twice is what says no stage', () => {
    expect(COUNTED_TWICE.has('inference_requests_total')).toBe(true);
    expect(COUNTED_TWICE.has('inference_ttft_seconds')).toBe(false);
    expect(COUNTED_TWICE.has('inference_cost_dollars_total')).toBe(false);
  });

  it.each([
    ['auto', ['tgi', 'vllm', 'vllm-1']],
    ['engine', ['tgi', 'vllm', 'vllm-1']],
    ['gateway', ['litellm']],
    ['both', ['litellm', 'tgi', 'vllm', 'vllm-1']],
  ] as const)('%s', (countAt, engines) => {
    const place = new CountingPlace(countAt);
    const targets = fleet();
    for (const { engine } of targets) place.saw(engine);
    const text = renderMetrics(targets, [], place, 'text');
    const seen = new Set([...text.matchAll(/^inference_requests_total\{.*engine="([^"]+)"/gm)].map(([, one]) => one));
    expect([...seen].sort()).toEqual(engines);
    expect(text).toMatch(/inference_ttft_seconds_count\{.*stage="gateway"/);
  });

  it('at the gateway is what no engine of the fleet gives', () => {
    const place = new CountingPlace('auto');
    place.saw('llamacpp');
    expect(place.isWithheld('inference_tokens_total', 'litellm')).toBe(true);
    expect(place.isWithheld('inference_requests_total', 'litellm')).toBe(false);
  });
});

describe('inferenceOtlpRequests', () => {
  it('has the same totals, split into requests of bounded size', () => {
    const targets = Array.from({ length: 60 }, (_, i) => exposed('vllm', 'vllm-0.30.txt', `r${i}`));
    const bodies = inferenceOtlpRequests(
      targets,
      new CountingPlace('both'),
      { serviceName: 's', version: '1' },
      1_764_000_001_000,
    );
    expect(bodies.length).toBeGreaterThan(1);
    const totals = new Map<string, number>();
    for (const body of bodies) {
      let points = 0;
      for (const metric of JSON.parse(body).resourceMetrics[0].scopeMetrics[0].metrics) {
        const spec = METRICS[metric.name as MetricName];
        expect(metric.unit).toBe(spec.unit);
        for (const point of (metric.sum ?? metric.gauge ?? metric.histogram).dataPoints) {
          points++;
          if (metric.histogram) {
            const counts = point.bucketCounts.map(Number);
            expect(counts).toHaveLength(point.explicitBounds.length + 1);
            expect(counts.reduce((sum: number, one: number) => sum + one, 0)).toBe(Number(point.count));
          } else totals.set(metric.name, (totals.get(metric.name) ?? 0) + point.asDouble);
        }
      }
      expect(points).toBeLessThanOrEqual(2000);
    }
    expect(totals.get('inference_requests_total')).toBe(60 * 2 * 1976);
  });
});

describe('likelyName', () => {
  it('finds the name that took the place of another', () => {
    const names = ['vllm:kv_cache_usage_perc', 'vllm:num_requests_running', 'vllm:iteration_tokens_total'];
    expect(likelyName('vllm:gpu_cache_usage_perc', names)).toBe('vllm:kv_cache_usage_perc');
    expect(likelyName('vllm:running_reqs', names)).toBe('vllm:num_requests_running');
    expect(likelyName('vllm:something_else', names)).toBeUndefined();
  });
});

describe('readOllama', () => {
  it('says of each model whether it is loaded, and how much memory it takes', () => {
    const tags = { models: [{ name: 'a' }, { name: 'b' }] };
    expect(readOllama(tags, { models: [{ name: 'b', size: 10, size_vram: 8 }] })).toEqual([
      { name: 'a', isLoaded: false },
      { name: 'b', isLoaded: true, loadedBytes: 10, gpuBytes: 8, contextTokens: undefined },
    ]);
    expect(readOllama({ models: null }, { models: [] })).toEqual([]);
    expect(() => readOllama({}, {})).toThrow(/models/);
  });
});

describe('discovery', () => {
  const resolver = {
    resolveSrv: async () => [{ name: 'vllm-0.vllm.prod.svc', port: 8000 }],
    resolve4: async () => ['10.0.0.1', '10.0.0.2'],
    resolve6: async () => Promise.reject(new Error('ENODATA')),
  };

  it('by DNS takes addresses with a port, or SRV records', async () => {
    const addresses = await dnsDiscovery('chat.prod.svc:8000', resolver).find();
    expect(addresses.map(({ key, fallback }) => [key, fallback.deployment])).toEqual([
      ['http://10.0.0.1:8000', 'chat'],
      ['http://10.0.0.2:8000', 'chat'],
    ]);
    const [record] = await dnsDiscovery('_metrics._tcp.vllm.prod.svc', resolver).find();
    expect(record.key).toBe('http://vllm-0.vllm.prod.svc:8000');
    const failing = {
      ...resolver,
      resolve4: async () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })),
    };
    await expect(dnsDiscovery('gone:1', failing).find()).rejects.toThrow(/ENOTFOUND/);
  });

  it.each([
    ['vllm/vllm-openai:v0.30.0', 'vllm'],
    ['registry.example:5000/lmsysorg/sglang:latest', 'sglang'],
    ['ghcr.io/huggingface/text-generation-inference:3.3.7', 'tgi'],
    ['nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8', 'nim'],
    ['nvcr.io/nvidia/tritonserver:25.10-trtllm-python-py3', 'triton'],
    ['ghcr.io/ggml-org/llama.cpp:server-cuda', 'llamacpp'],
    ['ghcr.io/berriai/litellm:main-stable', 'litellm'],
    ['registry.k8s.io/gateway-api-inference-extension/epp@sha256:abc', 'endpoint_picker'],
    ['example/pepper:1', undefined],
    ['nginx:vllm', undefined],
  ])('by Kubernetes knows the image %s', (image, engine) => {
    expect(engineOfImage(image)).toBe(engine);
  });

  it('by Kubernetes goes by annotations and the labels of llm-d', () => {
    const pod = (part: Partial<Pod['metadata']>, image = 'example/own'): Pod => ({
      metadata: { name: 'p', namespace: 'n', ...part },
      spec: { containers: [{ image }] },
      status: { podIP: 'fd00::1' },
    });
    const prometheus = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9100' };
    expect(podTarget(pod({ annotations: prometheus }))).toBeUndefined();
    expect(podTarget(pod({ annotations: prometheus }, 'vllm/vllm-openai'))?.key).toBe('http://[fd00::1]:9100');
    const own = {
      'barograph.io/scrape': 'true',
      'barograph.io/port': '8443',
      'barograph.io/scheme': 'https',
      'barograph.io/path': '/m',
    };
    expect(podTarget(pod({ annotations: own }))?.key).toBe('https://[fd00::1]:8443/m');
    expect(podTarget(pod({ labels: { 'llm-d.ai/engine-type': 'sglang' } }))?.key).toBe('http://[fd00::1]:30000');
    expect(podTarget(pod({ deletionTimestamp: 'now' }, 'vllm/vllm-openai'))).toBeUndefined();
  });
});
