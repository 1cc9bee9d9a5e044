import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord, type Span } from '../../model/index.ts';
import { Census } from './census.ts';
import { type CostCensus, HOUR_MS } from './cost.ts';
import type { CostLabel } from './cost-labels.ts';
import { type CostTerms, costBy, printCostCsv } from './cost-views.ts';
import { readCensus, writeCensus } from './store.ts';

const TERMS: CostTerms = {
  bytesPerSample: 2,
  isMeasured: true,
  keptDays: { samples: 30, fleetSamples: 396, logs: 14, spans: 7 },
  price: { perGibMonth: 0.5, currency: 'EUR' },
};
const START = 480_000 * HOUR_MS;

function view(census: Census, nowMs: number, by: CostLabel = 'team', limit = 50) {
  return costBy(census, { by, limit, nowMs, terms: TERMS });
}

function newCensus(): Census {
  return new Census((name) => /^[\w:.]+$/.test(name));
}

function addSeries(cost: CostCensus, id: number, record: Record<string, string>): void {
  cost.addSeries(id, labelsFromRecord(record));
}

function spanOf(resource: Span['resource'], attributes: Span['attributes'], serviceName = ''): Span {
  return { resource, attributes, serviceName } as Span;
}

describe('cost by label', () => {
  it('counts series, samples, lines and spans by the value that each label has', () => {
    const census = newCensus();
    const { cost } = census;
    cost.fold(START);
    addSeries(cost, 0, { __name__: 'a', team: 'search', job: 'api' });
    addSeries(cost, 1, { __name__: 'a', team: 'chat', job: 'api', service: 'front' });
    addSeries(cost, 2, { __name__: 'fleet:a', region: 'eu' });
    cost.addSamples(Uint32Array.of(0, 0, 1, 2, 99), 4);
    cost.addHistogram(1, 100);
    cost.addLog(0, ['service_name', 'api', 'team', 'chat'], 50);
    cost.addLog(0, ['service_name', 'api', 'team', 'chat'], 50);
    cost.addSpan(spanOf({ team: 'search' }, { 'gen_ai.request.model': 'm' }, 'api'), 42);
    const byTeam = view(census, START + 24 * HOUR_MS);
    expect(byTeam.rows.map(({ value, series, bytesPerDay }) => [value, series, bytesPerDay])).toEqual([
      ['chat', 1, 2 + 100 + 100],
      ['search', 1, 4 + 42 + 58],
      ['(none)', 1, 2],
    ]);
    expect(byTeam.total).toMatchObject({ series: 3, bytesPerDay: 308, metricBytesPerDay: 108, logBytesPerDay: 100 });
    const byService = view(census, START + 24 * HOUR_MS, 'service');
    expect(byService.rows.map(({ value }) => value)).toEqual(['api', 'front', '(none)']);
    expect(view(census, START + 24 * HOUR_MS, 'model_version').rows[1]).toMatchObject({ value: 'm', bytesPerDay: 100 });
  });

  it('reckons money by what is on the disk once retention is full', () => {
    const census = newCensus();
    census.cost.fold(START);
    census.cost.addLog(0, ['team', 'chat'], 2 ** 30);
    expect(view(census, START + 24 * HOUR_MS).rows[0].moneyPerMonth).toBeCloseTo(14 * 0.5);
  });

  it('extrapolates the first day from what it covers, and says so', () => {
    const census = newCensus();
    census.cost.fold(START);
    addSeries(census.cost, 0, { __name__: 'a', team: 'chat' });
    census.cost.addSamples(new Uint32Array(600), 600);
    const after = view(census, START + 10 * 60_000);
    expect(after.coveredHours).toBeCloseTo(1 / 6);
    expect(after.rows[0].samplesPerMinute).toBeCloseTo(60);
    expect(after.rows[0].metricBytesPerDay).toBeCloseTo(60 * 1440 * 2);
    expect(after.rows[0].weekAgo).toBeNull();
  });

  it('compares with the same day of the week before', () => {
    const census = newCensus();
    addSeries(census.cost, 0, { __name__: 'a', team: 'chat' });
    census.cost.fold(START);
    for (let hour = 0; hour < 240; hour++) {
      // From the fifth day on three times as much comes.
      const count = hour < 96 ? 100 : 300;
      census.cost.addSamples(new Uint32Array(count), count);
      census.cost.fold(START + hour * HOUR_MS + 1);
    }
    const now = START + 240 * HOUR_MS;
    const [row] = view(census, now).rows;
    expect(row.bytesPerDay).toBeCloseTo(300 * 24 * 2);
    expect(row.weekAgo).toEqual({ series: 1, bytesPerDay: 100 * 24 * 2 });
    expect(row.samplesPerMinute).toBeCloseTo(5);
  });

  it('forgets hours in which nothing came, and survives a clock that is put back', () => {
    const census = newCensus();
    census.cost.fold(START);
    census.cost.addLog(0, ['team', 'a'], 1000);
    census.cost.fold(START);
    census.cost.fold(START - 50 * HOUR_MS);
    expect(view(census, START + 300 * HOUR_MS).total.bytesPerDay).toBe(0);
    expect(view(census, START + 5000 * HOUR_MS).total.bytesPerDay).toBe(0);
  });

  it('is bounded: further values are others, of which nothing is lost', () => {
    const census = newCensus();
    census.cost.fold(START);
    for (let i = 0; i < 20_000; i++) {
      addSeries(census.cost, i, { __name__: 'a', team: `t${i}`, region: `r${i % 190}`, namespace: `n${i % 191}` });
    }
    census.cost.addSamples(
      Uint32Array.from({ length: 20_000 }, (_, i) => i),
      20_000,
    );
    const all = view(census, START + 24 * HOUR_MS);
    expect(all.isBounded).toBe(true);
    expect(all.rows.length).toBe(50);
    expect(all.rows[0].value).toBe('(others)');
    const sum = all.rows.reduce((of, { bytesPerDay }) => of + bytesPerDay, all.rest?.bytesPerDay ?? 0);
    expect(sum).toBe(40_000);
    expect(all.total.series).toBe(20_000);
  });

  it('shows no identifier that a span carries', () => {
    const census = newCensus();
    census.cost.fold(START);
    census.cost.addSpan(spanOf({ team: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }, {}), 1);
    expect(view(census, START + HOUR_MS).rows.map(({ value }) => value)).toEqual(['(others)']);
  });

  it('adds up to the same by every label, and over a restart', () => {
    const value = fc.constantFrom('', 'a', 'b', 'c');
    const record = fc.record({ team: value, region: value, job: value, namespace: value });
    fc.assert(
      fc.property(fc.array(fc.tuple(record, fc.nat(50)), { maxLength: 30 }), (series) => {
        const census = newCensus();
        census.cost.fold(START);
        for (const [id, [labels, samples]] of series.entries()) {
          addSeries(census.cost, id, { __name__: 'm', ...labels });
          census.cost.addSamples(new Uint32Array(samples).fill(id), samples);
        }
        const next = newCensus();
        census.snapshot(START + HOUR_MS);
        expect(readCensus(writeCensus(census), next)).toBe(true);
        for (const [id, [labels]] of series.entries()) addSeries(next.cost, id, { __name__: 'm', ...labels });
        const samples = series.reduce((sum, [, count]) => sum + count, 0);
        for (const by of ['team', 'region', 'service', 'namespace', 'deployment'] as const) {
          const before = view(census, START + 24 * HOUR_MS, by);
          expect(before.rows.reduce((sum, row) => sum + row.bytesPerDay, 0)).toBeCloseTo(samples * 2);
          expect(view(next, START + 24 * HOUR_MS, by).rows).toEqual(before.rows);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('is written as CSV that no spreadsheet runs', () => {
    const census = newCensus();
    census.cost.fold(START);
    census.cost.addLog(0, ['team', '=1+1, "x"'], 1);
    const [header, row, total] = printCostCsv(view(census, START + 24 * HOUR_MS)).split('\r\n');
    expect(header).toBe(
      'team,series,samples_per_minute,metric_bytes_per_day,log_bytes_per_day,span_bytes_per_day,bytes_per_day,share,bytes_per_day_a_week_ago,EUR_per_month',
    );
    expect(row).toMatch(/^"'=1\+1, ""x""",0,0\.0,0,1,0,1,1\.0000,,0\.00$/);
    expect(total).toMatch(/^\(all\),/);
  });
});

describe('what a label would save', () => {
  it('is counted without it, so a label that follows from another one saves nothing', () => {
    const census = newCensus();
    for (let pod = 0; pod < 10; pod++) {
      for (const outcome of ['ok', 'error']) {
        const labels = { __name__: 'vllm:requests_total', pod: `p${pod}`, uid: `u${pod}`, outcome };
        census.addStored(labelsFromRecord(labels), 'vllm:requests_total');
      }
    }
    for (let pod = 0; pod < 4; pod++) census.addStored(labelsFromRecord({ __name__: 'up', pod: `p${pod}` }), 'up');
    const { savings } = view(census, START);
    expect(savings).toEqual([
      { metrics: 'vllm:*', label: 'outcome', series: 20, saved: 10, share: 0.5 },
      { metrics: 'up', label: 'pod', series: 4, saved: 3, share: 0.75 },
    ]);
  });

  it('leaves the bounds of a histogram alone', () => {
    const census = newCensus();
    for (const le of ['1', '2', '+Inf']) census.addStored(labelsFromRecord({ __name__: 'h_bucket', le }), 'h');
    expect(view(census, START).savings).toEqual([]);
  });
});
