import type { Labels, NativeHistogram, SeriesSamples } from '../server/model/index.ts';
import { type PromResult, queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';

/** When a query of a script is evaluated, milliseconds; a step of 0 makes it instant. */
export interface QueryTime {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** A histogram as Prometheus's JSON has it: buckets are boundary rule, lower and upper bound, count. */
export interface JsonHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [number, string, string, string])[];
}

/** One series of an answer: its values by time in milliseconds. */
export interface AnswerSeries {
  readonly labels: Labels;
  readonly points: ReadonlyMap<number, number | NativeHistogram | JsonHistogram>;
}

/** What a target answers, in a form that doesn't depend on how it was asked. */
export interface Answer {
  readonly kind: 'scalar' | 'vector' | 'matrix' | 'string';
  /** Of a string. */
  readonly text: string | undefined;
  /** Everything else; a scalar is one series without labels. In the order of the answer. */
  readonly series: readonly AnswerSeries[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** What scripts run against: the engine in this process, or a server. */
export interface PromqlTarget {
  clear(): Promise<void>;
  /** Stores series beside those that are there; samples of one series at one time: the last written stays. */
  load(series: readonly SeriesSamples[]): Promise<void>;
  /** @throws with the message of the error that the target answered with. */
  query(query: string, time: QueryTime): Promise<Answer>;
}

/** Small, so that the scripts' few series make several parts. */
const PART_SAMPLES = 2;

/** The engine in this process over arrays. */
export function memoryTarget(): PromqlTarget {
  let reader = new MemoryMetricReader();
  return {
    async clear() {
      reader = new MemoryMetricReader();
    },
    async load(series) {
      for (const one of series) reader.add(one);
    },
    async query(query, time) {
      return toAnswer(await queryPromql(query, { ...time, partSamples: PART_SAMPLES }, reader));
    },
  };
}

function toAnswer({ value, steps, warnings, infos }: PromResult): Answer {
  const notes = { warnings, infos };
  switch (value.kind) {
    case 'string':
      return { kind: 'string', text: value.value, series: [], ...notes };
    case 'scalar': {
      const points = new Map(Array.from(value.values, (v, i) => [steps.startMs + i * steps.stepMs, v] as const));
      return { kind: 'scalar', text: undefined, series: [{ labels: [], points }], ...notes };
    }
    case 'matrix': {
      const series = value.series.map(({ labels, timestamps, values, histograms }) => ({
        labels,
        points: new Map(Array.from(timestamps, (t, i) => [t, histograms?.[i] ?? values[i]] as const)),
      }));
      return { kind: 'matrix', text: undefined, series, ...notes };
    }
    case 'vector': {
      const series = value.series.map(({ labels, values, has, histograms }) => {
        const points = new Map<number, number | NativeHistogram>();
        for (let i = 0; i < values.length; i++) {
          if (has[i]) points.set(steps.startMs + i * steps.stepMs, histograms?.[i] ?? values[i]);
        }
        return { labels, points };
      });
      return { kind: 'vector', text: undefined, series, ...notes };
    }
  }
}
