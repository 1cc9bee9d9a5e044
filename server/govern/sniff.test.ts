import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isProse } from './prose.ts';
import { IDENTIFIERS, NAMES } from './sniff.data.ts';
import { redactSecrets, sniffValue } from './sniff.ts';
import { HELD_OUT_IDENTIFIERS, HELD_OUT_NAMES } from './sniff-held-out.data.ts';

const ALPHABETS = {
  base62: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
  base36: '0123456789abcdefghijklmnopqrstuvwxyz',
  hex: '0123456789abcdef',
};

/** Strings from an even generator with a fixed seed, because fast-check's own prefer repetitions. */
function recallOf(alphabet: string, length: number): number {
  let state = 12345;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  let found = 0;
  for (let i = 0; i < 2000; i++) {
    const value = Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)]).join('');
    if (sniffValue(value, 'identity') !== undefined) found++;
  }
  return found / 2000;
}

describe('sniffing', () => {
  it('tells names that stay from identifiers: precision ≥ 0.99, recall ≥ 0.97', () => {
    expect(NAMES.length).toBeGreaterThanOrEqual(150);
    expect(IDENTIFIERS.length).toBeGreaterThanOrEqual(150);
    const condemned = NAMES.filter((name) => sniffValue(name, 'identity') !== undefined);
    const missed = IDENTIFIERS.filter(([, value]) => sniffValue(value, 'identity') === undefined);
    const found = IDENTIFIERS.length - missed.length;
    const precision = found / (found + condemned.length);
    const recall = found / IDENTIFIERS.length;
    expect({ condemned, missed: missed.map(([, value]) => value) }).toMatchObject({
      condemned: [],
      missed: ['user_4711x'],
    });
    expect(precision).toBeGreaterThanOrEqual(0.99);
    expect(recall).toBeGreaterThanOrEqual(0.97);
  });

  it('does so on names and identifiers that it was not tuned on', () => {
    const condemned = HELD_OUT_NAMES.filter((name) => sniffValue(name, 'identity') !== undefined);
    const missed = HELD_OUT_IDENTIFIERS.filter(([, value]) => sniffValue(value, 'identity') === undefined);
    // `pay-as-you-go` was taken for a sentence at first: precision 71 of 72. The two that are missed were so from the first.
    expect({ condemned, missed: missed.map(([what]) => what) }).toEqual({
      condemned: [],
      missed: ['nano ID', 'conversation'],
    });
    expect(missed.length / HELD_OUT_IDENTIFIERS.length).toBeLessThanOrEqual(0.03);
  });

  it('finds random strings that are in no table', () => {
    expect(recallOf(ALPHABETS.hex, 16)).toBeGreaterThanOrEqual(0.99);
    expect(recallOf(ALPHABETS.base62, 20)).toBeGreaterThanOrEqual(0.98);
    expect(recallOf(ALPHABETS.base62, 16)).toBeGreaterThanOrEqual(0.95);
    expect(recallOf(ALPHABETS.base36, 25)).toBeGreaterThanOrEqual(0.98);
  });

  it('finds every UUID, wherever it stands', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom('', 'req-', 'user/', 'x_'), (uuid, before) => {
        expect(sniffValue(before + uuid, 'identity')).toBeDefined();
      }),
    );
  });

  it('looks for people, secrets and sentences only where identifiers are expected', () => {
    expect(sniffValue('vllm-7d9f8b6c5d-x2x4z', 'personal')).toBeUndefined();
    expect(sniffValue('GPU-550e8400-e29b-41d4-a716-446655440000', 'personal')).toBeUndefined();
    expect(sniffValue('10.0.0.1:9400', 'personal')).toBeUndefined();
    expect(sniffValue('alice@example.com', 'personal')).toBe('email');
    expect(sniffValue('please tell me a secret', 'personal')).toBe('prose');
  });

  it('takes digits for a quantity where the label says so', () => {
    expect(sniffValue('10737418240', 'identity', 'kv_cache_memory_bytes')).toBeUndefined();
    expect(sniffValue('10737418240', 'identity', 'tenant')).toBe('long_number');
    expect(sniffValue('4.333333333333333', 'identity', 'anything')).toBeUndefined();
  });

  it('takes time that grows no faster than the value', () => {
    for (const hostile of ['a@', '1.1', 'a-', '::', 'x y ', 'req-', 'eyJ', '%40', 'aA1', '"\\'])
      for (const length of [2000, 4000]) {
        const value = hostile.repeat(length / hostile.length);
        // Time of the processor, because a busy machine makes everything last longer.
        const began = process.cpuUsage();
        sniffValue(value, 'identity');
        redactSecrets(value, '');
        const { user, system } = process.cpuUsage(began);
        expect(user + system).toBeLessThan(100_000);
      }
  });

  it('cuts secrets out of a text and leaves the rest', () => {
    const token = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${'a'.repeat(20)}`;
    expect(redactSecrets(`sent to bob@example.com with ${token} at once`, '#')).toBe('sent to # with # at once');
    expect(redactSecrets('CUDA error at line 7', '#')).toBe('CUDA error at line 7');
  });
});

describe('prose', () => {
  it('leaves steps that people named', () => {
    for (const name of [
      'fetch user profile from cache',
      'executing api route (pages) /api/chat',
      'chat gpt-4o',
      'POST /v1/chat/completions',
    ])
      expect(isProse(name, 'name')).toBe(false);
    expect(isProse('please tell me why the sky is blue', 'name')).toBe(true);
  });
});
