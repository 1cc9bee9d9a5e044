import { expect, it } from 'vitest';
import { labelsFromRecord, type SeriesSamples } from '../../model/index.ts';
import { foldedShare, foldedWarnings } from './folded.ts';
import type { Fetch } from './plan.ts';

const FOLDED = ['cart_items\u0000region', 'inference_ttft_seconds\u0000model_version'];

function series(record: Record<string, string>, samples: number): SeriesSamples {
  const timestamps = Float64Array.from({ length: samples }, (_, i) => i);
  return { labels: labelsFromRecord(record), timestamps, values: timestamps, histograms: undefined };
}

const fetchOf = (record: Record<string, string>): Fetch => ({
  matchers: Object.entries(record).map(([name, value]) => ({ name, op: '=' as const, value })),
  startMs: 0,
  endMs: 1,
});

it('says how much of what was read is of folded series', () => {
  const data = [
    [series({ __name__: 'cart_items', region: 'other' }, 30), series({ __name__: 'cart_items', region: 'eu' }, 70)],
    // Somebody else's word.
    [series({ __name__: 'node_filesystem_files', mode: 'other' }, 100)],
  ];
  const shares = data.map((one) => foldedShare(one, FOLDED));
  expect(foldedWarnings([], shares, FOLDED)).toEqual([
    'PromQL warning: 15 % of the samples are of series whose values were folded into "other": region of cart_items',
  ]);
  expect(foldedWarnings([], shares, [])).toEqual([]);
});

it('says which conditions folded series can not meet', () => {
  const fetches = [fetchOf({ __name__: 'inference_ttft_seconds_bucket', model_version: 'm' })];
  expect(foldedWarnings(fetches, [], FOLDED)).toEqual([
    'PromQL warning: series whose values were folded into "other" can\'t meet the conditions on model_version of inference_ttft_seconds',
  ]);
  expect(foldedWarnings([fetchOf({ __name__: 'cart_items', region: 'other' })], [], FOLDED)).toEqual([]);
  expect(foldedWarnings([fetchOf({ __name__: 'cart_items', shop: 'x' })], [], FOLDED)).toEqual([]);
});
