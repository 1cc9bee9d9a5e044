import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../generated/conventions.ts';
import { CountingPlace } from './count-at.ts';
import { ENGINE_TABLES, recogniseEngine } from './engine-table.ts';
import { renderMetrics } from './render.ts';
import { TargetSeries } from './target-series.ts';

const FOLDER = path.join(import.meta.dirname, 'testdata');

/** A sample of a text that was taken apart by the simplest means, so that it can judge what is faster. */
interface PlainSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function plainSamples(text: string): PlainSample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/([^=,]+)="([^"]*)"/g)].map(([, key, one]) => [key, one]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('+Inf', 'Infinity')) };
    });
}

function total(samples: readonly PlainSample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, one) => sum + one.value, 0);
}

function read(file: string): Buffer {
  return fs.readFileSync(path.join(FOLDER, file));
}

function seriesOf(file: string): { readonly engine: Engine; readonly series: TargetSeries } {
  const body = read(file);
  const names = body
    .toString()
    .split('\n')
    .flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  const engine = recogniseEngine(names);
  if (engine === undefined) throw new Error(`${file} is of no engine`);
  const series = new TargetSeries(ENGINE_TABLES[engine], {
    engine,
    labels: { region: 'eu' },
    fallback: { deployment: 'chat', replica: 'pod-1' },
  });
  series.read(body, 1_764_000_000_000);
  return { engine, series };
}

const FILES: readonly (readonly [file: string, engine: Engine])[] = [
  ['vllm-0.30.txt', 'vllm'],
  ['vllm-0.9.txt', 'vllm'],
  ['sglang-0.5.txt', 'sglang'],
  ['tgi-3.3.7.txt', 'tgi'],
  ['tensorrt-llm-1.2.txt', 'tensorrt_llm'],
  ['triton-25.10.txt', 'triton'],
  ['nim-1.8.txt', 'nim'],
  ['llamacpp-b6500.txt', 'llamacpp'],
  ['ray-serve-llm-2.53.txt', 'ray_serve_llm'],
  ['litellm-1.80.txt', 'litellm'],
  ['endpoint-picker-0.9.txt', 'endpoint_picker'],
];

describe.each(FILES)('%s', (file, engine) => {
  it('is recognised by what it says.', () => {
    expect(seriesOf(file).engine).toBe(engine);
  });

  it('becomes the metrics of its golden file.', async () => {
    const out = renderMetrics([seriesOf(file)], [], new CountingPlace('both'), 'text');
    await expect(out).toMatchFileSnapshot(path.join(FOLDER, 'golden', file));
  });

  it('has no metric that nobody knows.', () => {
    expect(seriesOf(file).series.report().unmapped).toEqual([]);
  });

  it('gives the same again when it is read a second time.', () => {
    const { series } = seriesOf(file);
    const render = () => renderMetrics([{ engine, series }], [], new CountingPlace('both'), 'text');
    const first = render();
    series.read(read(file), 1_764_000_015_000);
    // Only shares of increases differ: nothing was asked between the two.
    expect(render()).toBe(first);
  });

  it('keeps every bucket of the histograms that it maps.', () => {
    const { series } = seriesOf(file);
    const source = plainSamples(read(file).toString());
    const out = plainSamples(renderMetrics([{ engine, series }], [], new CountingPlace('both'), 'text'));
    for (const { source: name, mapping } of series.report().mapped) {
      const { target, metric } = mapping;
      if (!out.some((one) => one.name === `${target}_bucket`)) continue;
      const own = source.filter((one) => one.name === `${name}_bucket`);
      const bounds = new Set(own.map((one) => Number(one.labels.le.replace('+Inf', 'Infinity')) * metric.factor));
      const labels = metric.labels;
      const kept = out.filter(
        (one) =>
          one.name === `${target}_bucket` && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
      );
      expect(new Set(kept.map((one) => Number(one.labels.le.replace('+Inf', 'Infinity')))), target).toEqual(bounds);
    }
  });
});

describe('Totals of what is counted', () => {
  const outOf = (file: string) => plainSamples(renderMetrics([seriesOf(file)], [], new CountingPlace('both'), 'text'));
  const sourceOf = (file: string) => plainSamples(read(file).toString());

  it.each([
    // The source's counters, and what they are in the contract.
    ['vllm-0.30.txt', 'vllm:request_success_total', 'inference_requests_total', {}],
    ['vllm-0.30.txt', 'vllm:prompt_tokens_total', 'inference_tokens_total', { token_type: 'input' }],
    ['vllm-0.30.txt', 'vllm:num_preemptions_total', 'inference_preemptions_total', {}],
    ['vllm-0.30.txt', 'vllm:time_to_first_token_seconds_count', 'inference_ttft_seconds_count', {}],
    ['vllm-0.9.txt', 'vllm:request_success_total', 'inference_requests_total', {}],
    ['vllm-0.9.txt', 'vllm:time_per_output_token_seconds_sum', 'inference_inter_token_latency_seconds_sum', {}],
    ['sglang-0.5.txt', 'sglang:num_requests_total', 'inference_requests_total', {}],
    ['sglang-0.5.txt', 'sglang:prompt_tokens_total', 'inference_tokens_total', { token_type: 'input' }],
    ['sglang-0.5.txt', 'sglang:e2e_request_latency_seconds_count', 'inference_total_latency_seconds_count', {}],
    ['tgi-3.3.7.txt', 'tgi_request_generated_tokens_sum', 'inference_tokens_total', { token_type: 'output' }],
    ['tgi-3.3.7.txt', 'tgi_request_queue_duration_count', 'inference_queue_seconds_count', {}],
    ['nim-1.8.txt', 'generation_tokens_total', 'inference_tokens_total', { token_type: 'output' }],
    ['llamacpp-b6500.txt', 'llamacpp:tokens_predicted_total', 'inference_tokens_total', { token_type: 'output' }],
    ['ray-serve-llm-2.53.txt', 'ray_vllm_request_success_total', 'inference_requests_total', {}],
    ['litellm-1.80.txt', 'litellm_proxy_total_requests_metric_total', 'inference_requests_total', {}],
    ['litellm-1.80.txt', 'litellm_spend_metric_total', 'inference_cost_dollars_total', {}],
  ] as const)('%s: %s is %s', (file, source, target, labels) => {
    expect(total(outOf(file), target, labels)).toBeCloseTo(total(sourceOf(file), source), 6);
  });

  it('count copies of ranks once, and each data-parallel engine for itself.', () => {
    const out = outOf('sglang-0.5.txt');
    expect(total(out, 'inference_requests_running', { engine: 'sglang' })).toBe(9);
    expect(total(out, 'inference_requests_running', { engine: 'sglang-1' })).toBe(4);
    expect(total(out, 'inference_preemptions_total')).toBe(4);
    expect(total(out, 'inference_queue_seconds_count')).toBe(700 + 512);
  });

  it('tell failures from what went well.', () => {
    const outcomes = (file: string) =>
      Object.fromEntries(
        ['ok', 'truncated', 'cancelled', 'error', 'timeout'].map((outcome) => [
          outcome,
          total(outOf(file), 'inference_requests_total', { outcome }),
        ]),
      );
    expect(outcomes('vllm-0.30.txt')).toEqual({ ok: 3620, truncated: 304, cancelled: 24, error: 4, timeout: 0 });
    expect(outcomes('sglang-0.5.txt')).toEqual({ ok: 1181, truncated: 0, cancelled: 31, error: 0, timeout: 0 });
    expect(outcomes('tgi-3.3.7.txt')).toEqual({ ok: 501, truncated: 0, cancelled: 4, error: 16, timeout: 0 });
    expect(outcomes('tensorrt-llm-1.2.txt')).toEqual({ ok: 2100, truncated: 300, cancelled: 14, error: 5, timeout: 0 });
    expect(outcomes('triton-25.10.txt')).toEqual({ ok: 830, truncated: 0, cancelled: 7, error: 3, timeout: 0 });
    expect(outcomes('nim-1.8.txt')).toEqual({ ok: 897, truncated: 0, cancelled: 0, error: 4, timeout: 0 });
    expect(outcomes('litellm-1.80.txt')).toEqual({ ok: 979, truncated: 0, cancelled: 0, error: 12, timeout: 3 });
  });

  it('convert units of bounds and sums, and leave counts alone.', () => {
    const out = outOf('triton-25.10.txt');
    const [bucket] = out.filter((one) => one.name === 'inference_ttft_seconds_bucket');
    expect(bucket.labels.le).toBe('0.1');
    expect(total(out, 'inference_ttft_seconds_sum')).toBeCloseTo(830 * 0.41, 6);
    expect(total(out, 'inference_ttft_seconds_count')).toBe(830);
  });

  it('read a measure under one of its names where an endpoint picker writes both.', () => {
    const out = outOf('endpoint-picker-0.9.txt');
    expect(total(out, 'inference_total_latency_seconds_count')).toBe(2001);
    expect(total(out, 'inference_token_count_count', { token_type: 'input' })).toBe(2001);
    expect(total(out, 'inference_ttft_seconds_count', { stage: 'gateway' })).toBe(1900);
  });

  it('keep replicas of one node apart.', () => {
    expect(total(outOf('ray-serve-llm-2.53.txt'), 'inference_requests_running', { replica: 'x9p4' })).toBe(6);
  });
});

describe('What stays behind', () => {
  it('is every label of a source that the contract has no place for.', () => {
    for (const [file] of FILES) {
      const out = renderMetrics([seriesOf(file)], [], new CountingPlace('both'), 'text');
      const names = new Set(plainSamples(out).flatMap(({ labels }) => Object.keys(labels)));
      const accepted = [
        'deployment',
        'engine',
        'le',
        'model_version',
        'outcome',
        'reason',
        'region',
        'replica',
        'stage',
      ];
      expect([...names].filter((name) => ![...accepted, 'token_type'].includes(name))).toEqual([]);
      expect(out).not.toMatch(/someone@example|88dc28|team-a/);
    }
  });
});
