import { describe, expect, test } from 'vitest';
import { runExamples, runOwn } from './traceql.ts';

/** How many of Tempo's examples pass at least; a list may only get better. */
const FLOORS: Readonly<Record<string, number>> = { valid: 284, parse_fails: 87 };

describe('our own TraceQL scripts', async () => {
  for (const { title, failures, total } of await runOwn()) {
    test(title, () => {
      expect(total).toBeGreaterThan(0);
      expect(failures).toEqual([]);
    });
  }
});

describe("Tempo's examples", () => {
  const scores = runExamples();
  if (scores.length === 0) {
    test.skip("skipped: Tempo's examples do not lie beside this checkout", () => undefined);
    return;
  }
  for (const { title, passed, failures } of scores) {
    test(`${title} passes at least ${FLOORS[title]}`, () => {
      expect(passed, failures.join('\n')).toBeGreaterThanOrEqual(FLOORS[title]);
    });
  }
});
