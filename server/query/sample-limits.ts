import { BarographError } from '../model/index.ts';
import type { MetricReader } from '../store/index.ts';

/**
 * Lets queries over samples run one after the other. A thread evaluates one at a time anyway; so it also holds the
 * samples of one at a time, and `query.max_samples` bounds its memory however many ask at once.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Runs a task once those before it have ended, however they ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task, task);
    this.last = result.catch(() => {
      // Whoever waits for the result gets the error; the next task only waits for the end.
    });
    return result;
  }
}

/** A reader whose answers to `select` together hold at most `maxSamples` samples; for one query. */
export function boundedReader(reader: MetricReader, maxSamples: number): MetricReader {
  let held = 0;
  return {
    ...reader,
    async select(request, signal) {
      const found = await reader.select(request, signal);
      for (const { timestamps } of found) held += timestamps.length;
      if (held > maxSamples) throw tooMany(held, maxSamples);
      return found;
    },
  };
}

function tooMany(got: number, accepted: number): BarographError {
  return new BarographError({
    code: 'query_limit',
    status: 422,
    where: 'query',
    got: `${got} samples in all its selectors`,
    accepted: `at most ${accepted}`,
    fix: 'add matchers, shorten the time range, or raise query.max_samples',
  });
}
