import { expect, it } from 'vitest';
import { fuzzContent, printLeaks } from './content.ts';

it('finds no content in the store after 600 random messages that hide it', async () => {
  const report = await fuzzContent({ seed: 20251124, messages: 600 });
  expect(printLeaks(report)).toBe('');
  // Every way in was taken, and most of what came was harmless enough to be stored.
  expect(Object.keys(report.hiddenByPath)).toHaveLength(12);
  expect(report.hidden).toBeGreaterThan(500);
  expect(report.stored).toBeGreaterThan(1000);
}, 60_000);

it('makes one message again', async () => {
  const first = await fuzzContent({ seed: 7, messages: 40, only: 33 });
  expect(first.messages).toBe(40);
  expect((await fuzzContent({ seed: 7, messages: 40, only: 33 })).hiddenByPath).toEqual(first.hiddenByPath);
}, 60_000);
