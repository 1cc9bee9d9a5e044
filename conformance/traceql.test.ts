import { describe, expect, it, test } from 'vitest';
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
  it.for(Object.entries(FLOORS))('%s passes at least %i', ([title, floor], context) => {
    const scores = runExamples();
    // Their licence keeps them out of this project; a checkout without them still runs our own above.
    if (scores.length === 0) return context.skip("Tempo's examples do not lie beside this checkout");
    const score = scores.find((candidate) => candidate.title === title);
    expect(score?.passed, score?.failures.join('\n')).toBeGreaterThanOrEqual(floor);
  });
});
