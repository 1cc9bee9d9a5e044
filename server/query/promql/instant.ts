import type { Call } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import type { QueryTimes, Steps } from './plan.ts';
import { dropped, emptySeries, isEmptySeries, joinDropped, type Value, type VectorSeries, vectorOf } from './values.ts';

/** What a function of evaluated arguments gets. */
export interface Input {
  readonly call: Call;
  readonly args: readonly Value[];
  readonly steps: Steps;
  readonly times: QueryTimes;
  readonly context: EvaluationContext;
}

/** A function of evaluated arguments over every step. */
export type InstantFunction = (input: Input) => Value;

/** A function of each float; histograms are left out, the metric's name goes. */
export function mapFloats(input: Input, f: (value: number, step: number) => number): Value {
  const { context } = input;
  const out: VectorSeries[] = [];
  for (const series of vectorOf(input.args[0])) {
    context.tick(series.values.length);
    const { labels, dropName } = dropped(series, context);
    const result = mapColumn({ ...series, labels, dropName }, f);
    if (!isEmptySeries(result)) out.push(result);
  }
  return { kind: 'vector', series: joinDropped(out, context) };
}

function mapColumn(series: VectorSeries, f: (value: number, step: number) => number): VectorSeries {
  const { values, has, histograms, labels, dropName } = series;
  const result = emptySeries(labels, values.length, dropName);
  for (let i = 0; i < values.length; i++) {
    if (!has[i] || histograms?.[i]) continue;
    result.has[i] = 1;
    result.values[i] = f(values[i], i);
  }
  return result;
}

/** A value for every step from the step's time in milliseconds. */
export function everyStep({ startMs, stepMs, count }: Steps, f: (ms: number) => number): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = f(startMs + i * stepMs);
  return values;
}
