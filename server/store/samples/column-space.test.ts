import { describe, expect, it } from 'vitest';
import { ColumnSpace } from './column-space.ts';

describe('column space', () => {
  it('hands out what nobody else has until it is said that nobody needs it', () => {
    const space = new ColumnSpace();
    const first = space.take(100);
    const second = space.take(200_000);
    first.times.fill(1);
    first.valueWords.fill(1);
    second.times.fill(2);
    second.valueWords.fill(2);
    expect([first.times.length, second.times.length, second.valueWords.length]).toEqual([100, 200_000, 400_000]);
    expect(new Set(first.times)).toEqual(new Set([1]));
    expect(new Set(new Uint32Array(first.values.buffer, first.values.byteOffset, 200))).toEqual(new Set([1]));
    space.reuse();
    expect(space.take(100).times.buffer).toBe(second.times.buffer);
  });

  it('keeps no more than it should', () => {
    const space = new ColumnSpace();
    const large = space.take(5 * 1024 * 1024).times.buffer;
    space.reuse();
    expect(space.take(10).times.buffer).not.toBe(large);
  });
});
