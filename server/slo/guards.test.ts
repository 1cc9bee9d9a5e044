import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../model/index.ts';
import { encodePrometheus, queryPromql } from '../query/promql/index.ts';
import { MemoryMetricReader } from '../query/promql/memory-reader.ts';
import { readSloFile, sloRules } from './index.ts';

const HOUR_MS = 3_600_000;

function rulesOf(more: string) {
  const text = `
version: barograph/v1
service: s
objectives:
  - { name: n, target: 99, owner: o, runbook_url: "http://r", impact: i, indicator: { kind: error_rate }, ${more} }`;
  const rules = sloRules(readSloFile(text, 'f.yaml').objectives[0]).groups.flatMap((group) => group.rules);
  return (name: string) => rules.find((rule) => ('record' in rule ? rule.record : rule.alert) === name)?.expr ?? '';
}

function readerOf(records: Readonly<Record<string, readonly (readonly [ms: number, value: number])[]>>) {
  const reader = new MemoryMetricReader();
  for (const [name, samples] of Object.entries(records)) {
    reader.add({
      labels: labelsFromRecord({ __name__: name, slo: 'n', slo_service: 's' }),
      timestamps: Float64Array.from(samples, ([ms]) => ms),
      values: Float64Array.from(samples, ([, value]) => value),
      histograms: undefined,
    });
  }
  return reader;
}

async function at(ms: number, query: string, reader: MemoryMetricReader): Promise<number | undefined> {
  const result = await queryPromql(query, { startMs: ms, endMs: ms, stepMs: 0 }, reader);
  const { data } = JSON.parse(Buffer.from(encodePrometheus(result)).toString()) as {
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  };
  return data.result.length === 0 ? undefined : Number(data.result[0].value[1]);
}

describe('a calendar period', () => {
  it('begins anew with the month', async () => {
    const budget = rulesOf('period: { calendar: month }')('slo:budget_left:ratio');
    const march = Date.UTC(2026, 2, 1);
    const hours = Array.from({ length: 24 * 40 }, (_, i) => march - 24 * 30 * HOUR_MS + (i + 1) * HOUR_MS);
    const reader = readerOf({
      'slo:total:increase1h': hours.map((ms) => [ms, 100]),
      // February burns ten times its budget, March half of it.
      'slo:good:increase1h': hours.map((ms) => [ms, ms <= march ? 90 : 99.5]),
      'slo:total:increase5m': hours.map((ms) => [ms, 8]),
    });
    expect(await at(march, budget, reader)).toBeCloseTo(-9, 6);
    expect(await at(march + 5 * HOUR_MS, budget, reader)).toBeCloseTo(0.5, 6);
    expect(await at(march + 200 * HOUR_MS, budget, reader)).toBeCloseTo(0.5, 6);
  });
});

describe('low traffic', () => {
  const now = HOUR_MS;
  const reader = readerOf({
    'slo:total:increase5m': [[now, 2]],
    'slo:good:increase5m': [[now, 1]],
    'slo:burn_rate:ratio1h': [[now, 50]],
    'slo:burn_rate:ratio5m': [[now, 50]],
    'slo:total:per_hour': [[now, 100]],
  });

  it('keeps an alert silent below the least number of events', async () => {
    expect(await at(now, rulesOf('notify: true')('SLOBudgetBurnFast'), reader)).toBe(50);
    expect(await at(now, rulesOf('low_traffic: { minimum_events: 2 }')('SLOBudgetBurnFast'), reader)).toBe(50);
    expect(await at(now, rulesOf('low_traffic: { minimum_events: 3 }')('SLOBudgetBurnFast'), reader)).toBeUndefined();
  });

  it('counts synthetic good events, or what the period leads one to expect', async () => {
    const burn = 'slo:burn_rate:ratio1h';
    expect(await at(now, rulesOf('notify: true')(burn), reader)).toBeCloseTo(50, 6);
    expect(await at(now, rulesOf('low_traffic: { synthetic_good_per_hour: 50 }')(burn), reader)).toBeCloseTo(2, 6);
    expect(await at(now, rulesOf('traffic_aware: true')(burn), reader)).toBeCloseTo(1, 6);
  });
});

describe('thresholds', () => {
  const metric = 'inference_total_latency_seconds';
  const times = Float64Array.from({ length: 11 }, (_, i) => i * 30_000);

  /** Two events a sample: one up to 1 s and one between 16 and 32 s; `grows` is false for counters that stand still. */
  function latencies(grows: boolean): MemoryMetricReader {
    const reader = new MemoryMetricReader();
    const counts = Float64Array.from(times, (_, i) => (grows ? i : 3));
    const add = (name: string, le: string | undefined, factor: number) => {
      const labels = labelsFromRecord({ __name__: name, ...(le === undefined ? {} : { le }) });
      reader.add({ labels, timestamps: times, values: counts.map((n) => n * factor), histograms: undefined });
    };
    add(`${metric}_count`, undefined, 2);
    add(`${metric}_bucket`, '2.56', 1);
    add(`${metric}_bucket`, '5.12', 2);
    const histograms = Array.from(counts, (n) => ({
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: n * 2,
      sum: n * 25,
      positiveIndices: Int32Array.from([0, 5]),
      positiveCounts: Float64Array.from([n, n]),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      counterResetHint: 'unknown' as const,
      customValues: undefined,
    }));
    reader.add({ labels: labelsFromRecord({ __name__: metric }), timestamps: times, values: counts, histograms });
    return reader;
  }

  it.each([
    ['native', '2s', 10],
    ['native', '100s', 20],
    ['classic', '2560ms', 10],
    ['classic', '3840ms', 15],
  ])('%s at %s counts good events, and none where there are none', async (histogram, threshold, good) => {
    const text = `
version: barograph/v1
service: s
objectives: [{ name: n, target: 99, page: false, indicator: { kind: total_latency, threshold: ${threshold}, histogram: ${histogram} } }]`;
    const [total, goodEvents] = sloRules(readSloFile(text, 'f.yaml').objectives[0]).groups[0].rules;
    expect(await at(300_000, total.expr, latencies(true))).toBeCloseTo(20, 6);
    expect(await at(300_000, goodEvents.expr, latencies(true))).toBeCloseTo(good, 6);
    expect(await at(300_000, goodEvents.expr, latencies(false))).toBe(0);
  });
});
