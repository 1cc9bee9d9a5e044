import { describe, expect, it } from 'vitest';
import { tokenBucketOf } from './index.ts';

describe('tokenBucketOf', () => {
  it('puts a bound into the bucket that it closes.', () => {
    const counts = [0, 128, 129, 512, 513, 2048, 2049, 8192, 8193, 32768, 32769, 1_000_000];
    const buckets = ['≤128', '≤128', '≤512', '≤512', '≤2k', '≤2k', '≤8k', '≤8k', '≤32k', '≤32k', '>32k', '>32k'];
    expect(counts.map(tokenBucketOf)).toEqual(buckets);
  });

  it('has no bucket for a count that is not known.', () => {
    for (const count of [undefined, null, Number.NaN, -1]) expect(tokenBucketOf(count)).toBeUndefined();
  });
});
