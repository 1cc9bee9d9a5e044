import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_TOKENS, type BlockHolding, KvCache } from './kv-cache.ts';

function holding(): BlockHolding {
  return { privateBlocks: 0, prefixKey: '', sharedBlocks: 0 };
}

describe('the key-value cache', () => {
  it('gives a block for every 16 tokens begun', () => {
    const cache = new KvCache(10);
    const one = holding();
    expect(cache.grow(one, 17)).toBe(true);
    expect(one.privateBlocks).toBe(2);
    expect(cache.grow(one, 32)).toBe(true);
    expect(one.privateBlocks).toBe(2);
    expect(cache.freeBlocks).toBe(8);
  });

  it('lets a second sequence use the prefix of the first, and counts it once', () => {
    const cache = new KvCache(10);
    const [first, second] = [holding(), holding()];
    cache.grow(first, 64);
    cache.keepPrefix(first, 'system', 40, 0);
    expect(cache.cachedTokens('system')).toBe(32);
    cache.usePrefix(second, 'system', 1);
    cache.grow(second, 64);
    expect(cache.freeBlocks).toBe(10 - 4 - 2);
  });

  it('throws an unused prefix out when its blocks are needed, and counts it as free before', () => {
    const cache = new KvCache(4);
    const first = holding();
    cache.grow(first, 64);
    cache.keepPrefix(first, 'system', 64, 0);
    cache.release(first);
    expect(cache.usage).toBe(0);
    expect(cache.cachedTokens('system')).toBe(64);
    expect(cache.grow(holding(), 64)).toBe(true);
    expect(cache.cachedTokens('system')).toBe(0);
  });

  it('never loses or invents a block, whatever is asked of it', () => {
    const step = fc.record({
      who: fc.nat(5),
      what: fc.constantFrom('grow', 'keep', 'use', 'release'),
      tokens: fc.integer({ min: 1, max: 400 }),
      prefix: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new KvCache(40);
        const holdings = Array.from({ length: 6 }, holding);
        steps.forEach(({ who, what, tokens, prefix }, now) => {
          const one = holdings[who];
          if (what === 'grow') cache.grow(one, tokens);
          else if (what === 'keep') cache.keepPrefix(one, prefix, tokens, now);
          else if (what === 'release') cache.release(one);
          else if (one.prefixKey === '' && one.privateBlocks === 0 && cache.cachedTokens(prefix) > 0) {
            cache.usePrefix(one, prefix, now);
          }
          expect(cache.freeBlocks).toBeGreaterThanOrEqual(0);
          expect(cache.usage).toBeGreaterThanOrEqual(0);
          expect(cache.usage).toBeLessThanOrEqual(1);
        });
        for (const one of holdings) cache.release(one);
        expect(cache.usage).toBe(0);
        expect(cache.grow(holding(), 40 * BLOCK_TOKENS)).toBe(true);
        expect(cache.freeBlocks).toBe(0);
      }),
    );
  });
});
