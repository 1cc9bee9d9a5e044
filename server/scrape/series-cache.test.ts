import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScrapeRoute } from '../ingest/index.ts';
import { type ScrapedSeries, SeriesCache } from './series-cache.ts';

function routeOf(n: number): ScrapeRoute {
  const route = { id: n, fleetSlot: -1, output: -1, fleetOutput: -1, hashHigh: n, hashLow: n * 7, ids: [] };
  return { kind: 'clean', ...route };
}

/** One scrape's keys as a body, with where each stands. */
function bodyOf(keys: readonly string[]): { bytes: Buffer; ranges: [number, number][] } {
  const ranges: [number, number][] = [];
  let text = '';
  for (const key of keys) {
    ranges.push([text.length, text.length + key.length]);
    text += `${key} 1\n`;
  }
  return { bytes: Buffer.from(text), ranges };
}

/** Looks a scrape up, adds what is new, and ends it. @returns Which keys were new, and the series of each. */
function scrape(cache: SeriesCache, keys: readonly string[], number: number, drop: (key: string) => boolean) {
  const { bytes, ranges } = bodyOf(keys);
  const entries = new Int32Array(keys.length);
  const fresh: string[] = [];
  cache.restart();
  ranges.forEach(([start, end], i) => {
    let entry = cache.find(bytes, start, end, 0);
    if (entry < 0) {
      fresh.push(keys[i]);
      const series = drop(keys[i]) ? undefined : cache.join(routeOf(Number(keys[i].slice(1))), number).series;
      entry = cache.add(bytes, start, end, 0, series);
    }
    const series = cache.seriesOf(entry);
    if (series) series.seen = number;
    entries[i] = entry;
  });
  const found = Array.from(entries, (entry) => cache.seriesOf(entry)?.route.id);
  cache.keepOnly(entries, keys.length, number);
  return { fresh, found };
}

describe('the memory of a target’s series', () => {
  it('is that of a map of the last scrape’s keys, whatever their order', () => {
    const key = fc.integer({ min: 0, max: 60 }).map((n) => `k${n}`);
    const isDropped = (name: string): boolean => name.endsWith('3');
    fc.assert(
      fc.property(fc.array(fc.array(key, { maxLength: 80 }), { maxLength: 8 }), (scrapes) => {
        const cache = new SeriesCache();
        let known = new Set<string>();
        scrapes.forEach((keys, i) => {
          const { fresh, found } = scrape(cache, keys, i + 1, isDropped);
          expect(new Set(fresh)).toEqual(new Set(keys.filter((name) => !known.has(name))));
          expect(fresh).toHaveLength(new Set(fresh).size);
          expect(found).toEqual(keys.map((name) => (isDropped(name) ? undefined : Number(name.slice(1)))));
          known = new Set(keys);
          expect(cache.size).toBe(known.size);
          expect(cache.seriesCount).toBe([...known].filter((name) => !isDropped(name)).length);
        });
      }),
    );
  });

  it('takes two ways to write one series for one', () => {
    const cache = new SeriesCache();
    const first = cache.join(routeOf(1), 1);
    const second = cache.join(routeOf(1), 1);
    expect([first.isNew, second.isNew]).toEqual([true, false]);
    expect(second.series).toBe(first.series as ScrapedSeries);
  });

  it('tells a key of another type apart', () => {
    const cache = new SeriesCache();
    const { bytes, ranges } = bodyOf(['k1']);
    const [[start, end]] = ranges;
    expect(cache.find(bytes, start, end, 1)).toBe(-1);
    const entry = cache.add(bytes, start, end, 1, undefined);
    cache.restart();
    expect(cache.find(bytes, start, end, 2)).toBe(-1);
    expect(cache.find(bytes, start, end, 1)).toBe(entry);
  });

  it('takes no more memory than its last scrape', () => {
    const cache = new SeriesCache();
    for (let i = 0; i < 50; i++)
      scrape(
        cache,
        Array.from({ length: 100 }, (_, n) => `k${i * 100 + n}`),
        i + 1,
        () => false,
      );
    expect(cache.size).toBe(100);
    expect(cache.bytes).toBeLessThan(100 * 210);
  });
});
