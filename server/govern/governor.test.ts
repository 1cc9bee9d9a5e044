import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Labels, labelsFromRecord, labelsToRecord, type MetricType } from '../model/index.ts';
import { Aggregator } from './aggregate.ts';
import type { PolicyChanges } from './default-policy.ts';
import { DEFAULT_PROFILES } from './default-policy.ts';
import { createGovernor, type Governor } from './governor.ts';
import type { SeriesVerdict } from './judge-series.ts';

function judge(
  governor: Governor,
  metric: string,
  labels: Record<string, string>,
  type: MetricType = 'unknown',
): SeriesVerdict {
  return governor.judgeSeries(labelsFromRecord({ __name__: metric, ...labels }), type, 'remote_write');
}

/** The labels of a verdict, without the metric's name. */
function labelsOf(verdict: SeriesVerdict): Record<string, string> {
  if (!('labels' in verdict)) throw new Error(verdict.kind);
  const { __name__: _, ...labels } = labelsToRecord(verdict.labels);
  return labels;
}

describe('names', () => {
  it('keeps a clean series as the same array', () => {
    const labels = labelsFromRecord({
      __name__: 'inference_requests_total',
      deployment: 'a',
      outcome: 'ok',
      region: 'eu',
    });
    const verdict = createGovernor().judgeSeries(labels, 'counter', 'otlp');
    expect(verdict).toMatchObject({ kind: 'keep' });
    if (verdict.kind === 'keep') expect(verdict.labels).toBe(labels);
  });

  it.each([
    [
      'vllm:num_requests_running',
      { model_name: 'Qwen/Qwen3-0.6B', engine: '0' },
      { model_version: 'Qwen/Qwen3-0.6B', engine: '0' },
    ],
    ['tgi_queue_size', { job: 'gateway', pod: 'a-1' }, { deployment: 'gateway', job: 'gateway', replica: 'a-1' }],
    ['app_total', { service_name: 'gateway' }, { deployment: 'gateway', job: 'gateway' }],
    ['app_total', { service_instance_id: 'i-1' }, { instance: 'i-1', replica: 'i-1' }],
    ['app_total', { 'gen_ai.request.model': 'a', 'gen_ai.response.model': 'a' }, { model_version: 'a' }],
    [
      'DCGM_FI_DEV_FB_USED',
      { Hostname: 'n1', modelName: 'NVIDIA L40S', UUID: 'GPU-550e8400-e29b-41d4-a716-446655440000' },
      { node: 'n1', gpu_type: 'NVIDIA L40S', uuid: 'GPU-550e8400-e29b-41d4-a716-446655440000' },
    ],
    ['gpu_power_watts', { job: 'gpu-exporter', gpu: '0' }, { job: 'gpu-exporter', gpu: '0' }],
    ['DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL', { model_name: 'NVIDIA L40S' }, { gpu_type: 'NVIDIA L40S' }],
    [
      'node_cpu_seconds_total',
      { cpu: '3', mode: 'idle', instance: '10.0.0.1:9100' },
      { cpu: '3', mode: 'idle', instance: '10.0.0.1:9100' },
    ],
  ])('brings %s onto the taxonomy', (metric, before, after) => {
    const verdict = judge(createGovernor(), metric, before);
    expect(verdict.kind).toBe('keep');
    expect(labelsOf(verdict)).toEqual(after);
  });

  it('leaves the short words of metrics that are about other things alone', () => {
    const before = { job: 'kubelet', pod: 'a-1', model: 'Samsung SSD', hostname: 'n1', container_name: 'app' };
    const verdict = judge(createGovernor(), 'container_memory_bytes', before);
    expect(verdict.kind).toBe('keep');
    expect(labelsOf(verdict)).toEqual(before);
  });

  it('judges an original as it is where its target is present, and adds up where two originals differ', () => {
    expect(labelsOf(judge(createGovernor(), 'app_total', { model_version: 'a', model: 'b' }))).toEqual({
      model_version: 'a',
      model: 'b',
    });
    const verdict = judge(createGovernor(), 'litellm_requests_total', { model_name: 'a', model: 'b' });
    expect(verdict).toMatchObject({ kind: 'aggregate', reasons: ['alias'] });
    expect(labelsOf(verdict)).toEqual({ model_version: 'a' });
  });

  it.each([
    ['request_id', 'request_id'],
    ['requestId', 'request_id'],
    ['user', 'user'],
    ['user_email', 'email'],
    ['client_ip', 'address'],
    ['session.id', 'session'],
    ['trace_id', 'trace'],
    ['api_key_alias', 'credential'],
    ['gen_ai_input_messages', 'content'],
  ])('removes %s whatever the source', (name, rule) => {
    for (const metric of ['inference_requests_total', 'node_load1', 'DCGM_FI_DEV_GPU_TEMP']) {
      const governor = createGovernor();
      const verdict = judge(governor, metric, { region: 'eu', [name]: 'x1' });
      expect(verdict).toMatchObject({ kind: 'aggregate', reasons: [rule] });
      expect(labelsOf(verdict)).toEqual({ region: 'eu' });
      expect(governor.decisions()).toContainEqual({
        signal: 'metrics',
        source: 'remote_write',
        rule,
        action: 'removed',
        label: name,
        count: 1,
      });
    }
  });

  it('drops unlisted labels on the contract and keeps them elsewhere', () => {
    expect(judge(createGovernor(), 'inference_requests_total', { colour: 'red' })).toMatchObject({
      kind: 'aggregate',
      reasons: ['unlisted'],
    });
    expect(judge(createGovernor(), 'node_load1', { colour: 'red' })).toMatchObject({ kind: 'keep' });
  });

  it('adds replicas up on the contract where the policy says so', () => {
    const governor = createGovernor({
      profiles: [{ match: ['inference_*', 'gpu_*'], infrastructure: 'listed' }, ...DEFAULT_PROFILES],
    });
    const verdict = judge(governor, 'inference_ttft_seconds_bucket', {
      instance: 'a',
      job: 'b',
      le: '1',
      stage: 'client',
    });
    expect(labelsOf(verdict)).toEqual({ deployment: 'b', le: '1', stage: 'client' });
    expect(judge(governor, 'inference_requests_running', { replica: 'a' }).kind).toBe('keep');
    expect(judge(governor, 'node_load1', { instance: 'a' }).kind).toBe('keep');
  });
});

/** All decisions as `rule action label: count`, in order of the first. */
function counts(governor: Governor): string[] {
  return governor.decisions().map(({ rule, action, label, count }) => `${rule} ${action} ${label}: ${count}`);
}

describe('counts of decisions', () => {
  it('say renamed of a label that a target was named after, or that only repeats one', () => {
    const governor = createGovernor();
    judge(governor, 'inference_requests_running', { model_name: 'a', engine: '0' });
    expect(counts(governor)).toEqual(['alias renamed model_name: 1']);
    const verdict = judge(governor, 'inference_requests_running', {
      model_version: 'a',
      model_name: 'a',
      cloud_region: 'eu',
      region: 'eu',
    });
    expect(verdict.kind).toBe('keep');
    expect(labelsOf(verdict)).toEqual({ model_version: 'a', region: 'eu' });
    expect(counts(governor)).toEqual(['alias renamed model_name: 2', 'alias renamed cloud_region: 1']);
  });

  it('say removed of a label that contradicts its target, by the alias on the contract', () => {
    const governor = createGovernor();
    const verdict = judge(governor, 'inference_requests_running', { model_version: 'a', model: 'b', colour: 'red' });
    expect(verdict).toMatchObject({ kind: 'aggregate', reasons: ['unlisted', 'alias'] });
    expect(counts(governor)).toEqual([
      'unlisted removed colour: 1',
      'alias removed model: 1',
      'aggregate aggregated : 1',
    ]);
  });

  it('say nothing of what came folded already, and of values that are in', () => {
    const governor = createGovernor();
    expect(judge(governor, 'inference_requests_total', { outcome: 'other', customer_tier: 'other' }).kind).toBe('keep');
    for (let i = 0; i < 3; i++) judge(governor, 'inference_requests_total', { outcome: 'ok', customer_tier: 'gold' });
    expect(counts(governor)).toEqual([]);
  });

  it('name every rule of one series once', () => {
    const governor = createGovernor({ limits: { otherBudget: 1 } });
    judge(governor, 'app_total', { zone: 'a' });
    const id = '550e8400-e29b-41d4-a716-446655440000';
    const text = '{"prompt": "x"}';
    const labels = {
      zone: 'b',
      tenant: id,
      request_id: 'r',
      user_id: 'u',
      gen_ai_prompt: 'p',
      note: text,
      k8s_pod_name: 'p-1',
    };
    judge(governor, 'app_total', labels, 'counter');
    expect(counts(governor).sort()).toEqual([
      'aggregate aggregated : 1',
      'alias renamed k8s_pod_name: 1',
      'budget folded zone: 1',
      'content removed gen_ai_prompt: 1',
      'content_in_value removed note: 1',
      'request_id removed request_id: 1',
      'user removed user_id: 1',
      'value_uuid removed tenant: 1',
    ]);
  });
});

describe('values', () => {
  it('removes identifiers from allowed labels and leaves infrastructure alone', () => {
    const id = '550e8400-e29b-41d4-a716-446655440000';
    expect(judge(createGovernor(), 'app_total', { model_version: id })).toMatchObject({
      kind: 'aggregate',
      reasons: ['value_uuid'],
    });
    expect(judge(createGovernor(), 'app_total', { replica: id }).kind).toBe('keep');
  });

  it('folds past a budget, the same for all parts of a histogram, and after a restart', () => {
    const governor = createGovernor();
    const labels = (i: number) => ({ customer_tier: `tier-${i}`, le: '1' });
    const kept = Array.from(
      { length: 20 },
      (_, i) => labelsOf(judge(governor, 'inference_ttft_seconds_bucket', labels(i))).customer_tier,
    );
    expect(kept.slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, i) => `tier-${i}`));
    expect(new Set(kept.slice(8))).toEqual(new Set(['other']));
    expect(labelsOf(judge(governor, 'inference_ttft_seconds_count', { customer_tier: 'tier-3' })).customer_tier).toBe(
      'tier-3',
    );
    expect(labelsOf(judge(governor, 'inference_ttft_seconds_sum', { customer_tier: 'tier-9' })).customer_tier).toBe(
      'other',
    );
    expect(governor.decisions()).toContainEqual(
      expect.objectContaining({ rule: 'budget', action: 'folded', label: 'customer_tier', count: 13 }),
    );
    const restarted = createGovernor();
    for (let i = 0; i < 8; i++)
      restarted.rememberSeries(
        labelsFromRecord({ __name__: 'inference_ttft_seconds_count', customer_tier: `tier-${i}` }),
      );
    expect(labelsOf(judge(restarted, 'inference_ttft_seconds_bucket', labels(9))).customer_tier).toBe('other');
    expect(labelsOf(judge(restarted, 'inference_ttft_seconds_bucket', labels(2))).customer_tier).toBe('tier-2');
  });

  it('holds closed sets on the contract only', () => {
    expect(labelsOf(judge(createGovernor(), 'inference_requests_total', { outcome: 'wonderful' }))).toEqual({
      outcome: 'other',
    });
    expect(labelsOf(judge(createGovernor(), 'app_total', { outcome: 'wonderful' }))).toEqual({ outcome: 'wonderful' });
    expect(labelsOf(judge(createGovernor(), 'inference_ttft_seconds_count', { stage: 'decode' }))).toEqual({
      stage: 'other',
    });
  });

  it('refuses what can be neither kept nor added up, and never quotes it', () => {
    const refusals: [Record<string, string>, string][] = [
      [{}, 'metric_name_missing'],
      [{ __name__: 'x'.repeat(1025) }, 'metric_name_too_long'],
      [{ __name__: 'fleet:inference_requests_total' }, 'metric_name_reserved'],
      [{ __name__: 'what is the weather in my town' }, 'metric_name_unfit'],
      [{ __name__: 'a_bucket', le: 'zzz' }, 'bad_bound'],
      [
        { __name__: 'a', ...Object.fromEntries(Array.from({ length: 41 }, (_, i) => [`l${i}`, 'v'])) },
        'too_many_labels',
      ],
      [
        { __name__: 'a', ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`l${i}`, 'v'])) },
        'too_many_labels',
      ],
    ];
    for (const [labels, code] of refusals) {
      const verdict = createGovernor().judgeSeries(labelsFromRecord(labels), 'gauge', 'scrape');
      expect(verdict).toMatchObject({ kind: 'refuse', code });
      if (verdict.kind === 'refuse') expect(verdict.message).not.toMatch(/zzz|weather|xxx/);
    }
  });

  it('removes a label that is too long instead of losing its series', () => {
    expect(judge(createGovernor(), 'app_total', { region: 'ü'.repeat(1500) })).toMatchObject({
      kind: 'aggregate',
      reasons: ['value_too_long'],
    });
  });
});

describe('rules and the fleet level', () => {
  it.each([
    ['inference_requests_waiting', 'gauge', 'sum'],
    ['inference_kv_cache_usage_ratio', 'unknown', 'max'],
    ['inference_ttft_seconds_bucket', 'gauge', 'counter'],
    ['inference_token_count_count', 'unknown', 'counter'],
    ['inference_token_count', 'histogram', 'counter'],
    ['vllm:num_requests_running', 'gauge', 'sum'],
    ['vllm:kv_cache_usage_perc', 'unknown', 'max'],
    ['vllm:iteration_tokens_total_bucket', 'unknown', 'counter'],
    ['app_requests_total', 'unknown', 'counter'],
    ['app_latency', 'summary', 'max'],
    ['app_latency_sum', 'summary', 'counter'],
    ['app_memory_bytes', 'gauge', 'sum'],
    ['app_temperature_celsius', 'gauge', 'max'],
    ['build_info', 'info', 'max'],
  ] as const)('joins %s (%s) by %s', (metric, type, rule) => {
    const verdict = judge(createGovernor(), metric, { request_id: 'x' }, type);
    expect(verdict).toMatchObject({ kind: 'aggregate', rule });
  });

  it('writes the fleet level with the labels that a sum needs', () => {
    const verdict = judge(createGovernor(), 'inference_ttft_seconds_bucket', {
      region: 'eu',
      model_version: 'a',
      customer_tier: 'pro',
      le: '0.5',
      stage: 'client',
      instance: 'i',
    });
    expect(verdict).toMatchObject({ kind: 'keep' });
    if (verdict.kind !== 'keep') return;
    expect(verdict.fleet).toEqual({
      rule: 'counter',
      labels: [
        '__name__',
        'fleet:inference_ttft_seconds_bucket',
        'customer_tier',
        'pro',
        'le',
        '0.5',
        'region',
        'eu',
        'stage',
        'client',
      ],
    });
    for (const metric of ['gpu_temperature_celsius', 'node_load1', 'inference_batch_tokens_count']) {
      const other = judge(createGovernor(), metric, { region: 'eu' });
      expect(other).toMatchObject({ kind: 'keep', fleet: undefined });
    }
  });
});

describe('bounds', () => {
  it('keeps memory and counters bounded under a flood of names and values', () => {
    const limits: PolicyChanges = { limits: { budgetEntries: 3000, metricNames: 100 } };
    const governor = createGovernor(limits);
    const outputs = new Set<string>();
    for (let i = 0; i < 30_000; i++) {
      const verdict = judge(governor, `app_${i % 300}_total`, {
        [`label_${i}`]: 'a',
        region: `r${i}`,
        tenant: `t${i % 5000}`,
      });
      if ('labels' in verdict) outputs.add(verdict.labels.filter((_, at) => at !== 0).join());
    }
    expect(governor.decisions().length).toBeLessThan(2100);
    expect(governor.decisions()).toContainEqual(
      expect.objectContaining({ rule: 'too_many_metrics', action: 'refused' }),
    );
    expect(outputs.size).toBeLessThan(30_000);
  });

  it('shows a name in the counters only where it is plain', () => {
    const governor = createGovernor();
    judge(governor, 'app_total', { '550e8400-e29b-41d4-a716-446655440000': 'x' });
    expect(governor.decisions().map(({ label }) => label)).toEqual(['other', '']);
  });

  it('judges any label set without throwing, and a verdict is judged the same again', () => {
    const name = fc.oneof(
      fc.constantFrom('region', 'le', 'pod', 'job', 'model', 'request_id', '__proto__', 'x'),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ maxLength: 30 }), { noNullPrototype: true }), (record) => {
        const labels: Labels = labelsFromRecord({ ...record, __name__: 'app_total' });
        const governor = createGovernor();
        const verdict = governor.judgeSeries(labels, 'counter', 'otlp');
        if (!('labels' in verdict)) return;
        for (let i = 2; i < verdict.labels.length; i += 2) expect(verdict.labels[i] > verdict.labels[i - 2]).toBe(true);
        const again = governor.judgeSeries(verdict.labels, 'counter', 'otlp');
        expect(again).toMatchObject({ labels: verdict.labels });
      }),
      { numRuns: 200 },
    );
  });
});

describe('a request ID that leaks into a label', () => {
  it('leaves one series with the true total', () => {
    const governor = createGovernor();
    const aggregator = new Aggregator({ maxInputs: 1000 });
    const seriesIds = new Map<string, number>();
    for (let i = 0; i < 5000; i++) {
      const verdict = judge(
        governor,
        'inference_requests_total',
        { outcome: 'ok', region: 'eu', request_id: `r${i}` },
        'counter',
      );
      if (verdict.kind !== 'aggregate') throw new Error('the label was not removed');
      const key = verdict.labels.join();
      const seriesId = seriesIds.get(key) ?? seriesIds.size;
      seriesIds.set(key, seriesId);
      aggregator.add(aggregator.inputByHash(aggregator.output(seriesId, verdict.rule), i, i), 1000 + i, 1, 0);
    }
    const last = new Map<number, number>();
    aggregator.drain(
      (seriesId, _timestampMs, value) => last.set(seriesId, value),
      () => undefined,
    );
    expect([...last]).toEqual([[0, 5000]]);
    expect(aggregator.stats.evicted).toBe(4000);
  });
});
