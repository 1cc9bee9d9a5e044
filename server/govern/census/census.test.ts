import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../../model/index.ts';
import { createGovernor, type Governor } from '../governor.ts';
import { Census } from './census.ts';
import { HeavyHitters } from './heavy-hitters.ts';
import { hashOfText, hashTexts, Sketch } from './sketch.ts';
import { readCensus, writeCensus } from './store.ts';
import { cardinalityOfLabel, cardinalityOfMetric, cardinalityOverview } from './views.ts';

const ALL = { limit: 100, search: '', growth: 'day', nowMs: 300 * 60_000 } as const;

function offer(governor: Governor, record: Record<string, string>) {
  return governor.judgeSeries(labelsFromRecord(record), 'counter', 'remote_write');
}

describe('a sketch', () => {
  it('is exact up to 128, and counts nothing twice', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 128 }), (texts) => {
        const sketch = new Sketch(10);
        for (const text of [...texts, ...texts]) sketch.add(hashOfText(text));
        expect(sketch.size).toBe(new Set(texts.map(hashOfText)).size);
      }),
    );
  });

  it.each([10, 11, 14])('of 2^%i registers stays within four standard errors', (p) => {
    const sketch = new Sketch(p);
    const error = 1.04 / Math.sqrt(2 ** p);
    for (let i = 1; i <= 300_000; i++) {
      sketch.add(hashOfText(`10.0.${i}.7:9400`));
      if (i === 200 || i === 5000 || i === 300_000) {
        expect(Math.abs(sketch.size / i - 1), `after ${i}`).toBeLessThan(4 * error);
      }
    }
    expect(sketch.bytes).toBe(2 ** p);
  });

  it('survives being stored, and joins what is stored with what is there', () => {
    for (const count of [50, 5000]) {
      const [a, b] = [new Sketch(11), new Sketch(11)];
      for (let i = 0; i < count; i++) a.add(hashOfText(`a${i}`));
      expect(b.restore(a.store())).toBe(true);
      expect(b.size).toBe(a.size);
      for (let i = 0; i < count; i++) b.add(hashOfText(`a${i}`));
      expect(b.size).toBe(a.size);
    }
    const big = new Sketch(11);
    for (let i = 0; i < 500; i++) big.add(hashOfText(`${i}`));
    expect(new Sketch(10).restore(big.store())).toBe(false);
  });

  it('knows where one text ends', () => {
    expect(hashTexts(['ab', 'c'])).not.toBe(hashTexts(['a', 'bc']));
  });
});

describe('heavy hitters', () => {
  it('hold every value that makes up more than one in as many as there are places', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 400 }), (values) => {
        const hitters = new HeavyHitters(8);
        const exact = new Map<string, number>();
        for (const value of values.map(String)) {
          hitters.add(value);
          exact.set(value, (exact.get(value) ?? 0) + 1);
        }
        const found = new Map(hitters.top(8).map((hitter) => [hitter.value, hitter]));
        for (const [value, count] of exact) if (count > values.length / 8) expect(found.has(value)).toBe(true);
        for (const [value, { count, error }] of found) {
          const real = exact.get(value) ?? 0;
          expect(real).toBeLessThanOrEqual(count);
          expect(real).toBeGreaterThanOrEqual(count - error);
        }
      }),
    );
  });
});

describe('the census', () => {
  it('says what was offered and kept, what was done and who sent it', () => {
    const governor = createGovernor();
    for (let i = 0; i < 1000; i++)
      offer(governor, { __name__: 'app_requests_total', job: 'shop', request_id: `r-${i}`, region: `eu-${i % 3}` });
    offer(governor, { __name__: 'app_errors_total', job: 'other-shop', le: 'x' });
    const overview = cardinalityOverview(governor, ALL);
    expect(overview.offered).toBeGreaterThan(970);
    expect(overview.offered).toBeLessThan(1030);
    expect(overview).toMatchObject({ stored: 3, leaking: 1000, refused: 1 });
    expect(overview.metrics[0]).toMatchObject({ name: 'app_requests_total', stored: 3, leaking: 1000, refused: 0 });
    expect(overview.rules).toMatchObject([
      { rule: 'request_id', action: 'removed', label: 'request_id', count: 1000 },
      { rule: 'bad_bound', action: 'refused', label: '', count: 1 },
    ]);
    expect(overview.rules[0].senders).toEqual([{ value: 'shop', count: 1000, error: 0 }]);
    expect(overview.senders.map(({ name }) => name)).toEqual(['shop', 'other-shop']);
    const metric = cardinalityOfMetric(governor, 'app_requests_total');
    expect(metric?.labels.find(({ name }) => name === 'region')).toMatchObject({
      values: 3,
      kept: 3,
      budget: 32,
      fate: { kind: 'kept' },
    });
    const label = cardinalityOfLabel(governor, 'region', 10);
    expect(label?.top.map(({ value }) => value)).toEqual(['eu-0', 'eu-1', 'eu-2']);
    expect(cardinalityOverview(governor, { ...ALL, search: 'ERRORS' }).metrics).toHaveLength(1);
  });

  it('never shows a value that was removed, nor a sender that looks like a person', () => {
    const governor = createGovernor();
    const secret = 'jane.roe@example.com';
    offer(governor, { __name__: 'app_total', job: secret, region: secret, user_id: secret, [secret]: 'x' });
    const said = JSON.stringify([
      cardinalityOverview(governor, ALL),
      cardinalityOfMetric(governor, 'app_total'),
      cardinalityOfLabel(governor, 'region', 10),
      writeCensus(governor.census),
    ]);
    expect(said).not.toContain('jane');
  });

  it('takes bounded memory whatever comes', () => {
    const governor = createGovernor();
    for (let i = 0; i < 30_000; i++)
      offer(governor, {
        __name__: `m_${'abcdefghij'[i % 10]}${i}`,
        job: `job-${i}`,
        [`label_x${i}`]: 'v',
        trace_id: `${i}`,
      });
    const { metrics, labels, senders } = governor.census;
    expect(metrics.size).toBeLessThanOrEqual(4097);
    expect(labels.size).toBeLessThanOrEqual(513);
    expect([...senders.values()].reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(600);
    expect(writeCensus(governor.census).length).toBeLessThan(8e6);
  });

  it('survives a restart', () => {
    const governor = createGovernor();
    for (let i = 0; i < 500; i++) offer(governor, { __name__: 'app_total', job: 'shop', session_id: `${i}` });
    governor.census.snapshot(1_000_000);
    const after = createGovernor();
    expect(readCensus(writeCensus(governor.census), after.census)).toBe(true);
    // What is stored is counted from the store.
    after.rememberSeries(labelsFromRecord({ __name__: 'app_total', job: 'shop' }));
    expect(cardinalityOverview(after, ALL)).toEqual(cardinalityOverview(governor, ALL));
  });

  it.each(['', '{}', '[]', '{"version":9}', '{"version":1,"sinceMs":1}'])('begins anew where %j was stored', (text) => {
    expect(readCensus(text, new Census(() => true))).toBe(false);
  });

  it('remembers how it grew', () => {
    const governor = createGovernor();
    for (let minute = 0; minute < 300; minute++) {
      offer(governor, { __name__: 'app_total', shard: `s${minute}` });
      governor.census.snapshot(minute * 60_000);
    }
    const { growth, metrics } = cardinalityOverview(governor, ALL);
    expect(growth.length).toBeLessThanOrEqual(241);
    expect(growth.at(-1)).toMatchObject({ ms: 300 * 60_000, stored: 300 });
    expect(metrics[0].hourly).toEqual([1, 61, 121, expect.any(Number), expect.any(Number)]);
  });
});
