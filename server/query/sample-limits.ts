import { BarographError, type SeriesSamples } from '../model/index.ts';
import type { MetricReader } from '../store/index.ts';

/**
 * Lets queries over samples run one after the other. A thread evaluates one at a time anyway; so it also holds the
 * samples of one at a time, and `query.max_samples` bounds its memory however many ask at once.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private tasks = 0;

  /** Whether no task runs or waits. */
  get isIdle(): boolean {
    return this.tasks === 0;
  }

  /** Whether a task waits for another. */
  get hasWaiting(): boolean {
    return this.tasks > 1;
  }

  /** Runs a task once those before it have ended, however they ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.tasks++;
    const result = this.last.then(task, task);
    const end = (): void => {
      this.tasks--;
    };
    // Whoever waits for the result gets its error; the next task only waits for the end.
    this.last = result.then(end, end);
    return result;
  }
}

/** A reader whose answers to `select` together hold at most `maxSamples` samples; for one query. */
export function boundedReader(reader: MetricReader, maxSamples: number): MetricReader {
  let held = 0;
  const hold = (samples: number): void => {
    held += samples;
    if (held > maxSamples) throw tooMany(held, maxSamples);
  };
  const holdAll = (found: SeriesSamples[]): SeriesSamples[] => {
    hold(found.reduce((sum, { timestamps }) => sum + timestamps.length, 0));
    return found;
  };
  return {
    ...reader,
    select: async (request, signal) => holdAll(await reader.select(request, signal)),
    async scan(request, signal, ids) {
      const scan = await reader.scan(request, signal, ids);
      return {
        ...scan,
        read: (from, to) => holdAll(scan.read(from, to)),
        readAll: async () => holdAll(await scan.readAll()),
        countElsewhere: hold,
      };
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
