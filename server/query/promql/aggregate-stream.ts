import type { Labels } from '../../model/index.ts';
import type { Aggregate, AggregateOp } from './ast.ts';
import type { Column } from './columns.ts';
import type { EvaluationContext } from './context.ts';
import { GroupIndex } from './group-index.ts';
import type { VectorSeries } from './values.ts';

/** The aggregations that take one series of floats after the other and keep none of them. */
export type StreamedOp = 'sum' | 'avg' | 'count' | 'min' | 'max' | 'group' | 'stddev' | 'stdvar';

const STREAMED: ReadonlySet<AggregateOp> = new Set<AggregateOp>([
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
]);

/** Whether an aggregation can be streamed. */
export function isStreamed(op: AggregateOp): op is StreamedOp {
  return STREAMED.has(op);
}

/** What is known of one group so far, by step. */
export interface Sums {
  readonly labels: Labels;
  dropName: boolean;
  readonly values: Float64Array;
  /** What the sum lost by rounding, or the mean (for variances); unused by the others. */
  readonly second: Float64Array;
  /** How many values a step has beside those of the `whole` series, which have one at every step; empty for none. */
  counts: Uint32Array;
  whole: number;
}

const NOTHING = new Float64Array(0);
const NO_COUNTS = new Uint32Array(0);
/** Values in one block of memory at least; see `KeptColumns`. */
const BLOCK_VALUES = 8192;

/** The aggregations of which parts can be made apart and put together: their order changes no more than the last bit. */
const MERGEABLE: ReadonlySet<StreamedOp> = new Set<StreamedOp>(['sum', 'avg', 'count', 'min', 'max', 'group']);

/** Whether an aggregation can be made in parts. */
export function isMergeable(op: AggregateOp): op is StreamedOp {
  return isStreamed(op) && MERGEABLE.has(op);
}

/** Aggregates series of floats as they come, group by group, in the order in which they come. */
export class StreamedAggregation {
  private readonly op: StreamedOp;
  private readonly steps: number;
  private readonly context: EvaluationContext;
  private readonly index: GroupIndex<Sums>;
  /** Memory for new groups, and how much of it is used. */
  private block = NOTHING;
  private used = 0;
  /** What becomes the next new group as it is. */
  private adopted: Sums | undefined;

  constructor(expr: Aggregate, op: StreamedOp, steps: number, context: EvaluationContext) {
    this.op = op;
    this.steps = steps;
    this.context = context;
    this.index = new GroupIndex(expr, (labels) => this.adopted ?? this.newGroup(labels));
  }

  private newGroup(labels: Labels): Sums {
    const { op, steps } = this;
    this.context.charge(steps * 2);
    const hasSecond = op === 'sum' || op === 'avg' || op === 'stddev' || op === 'stdvar';
    const values = op === 'count' || op === 'group' ? NOTHING : this.column();
    if (op === 'min' || op === 'max') values.fill(Number.NaN);
    const second = hasSecond ? this.column() : NOTHING;
    return { labels, dropName: false, values, second, counts: NO_COUNTS, whole: 0 };
  }

  /** Zeros, one a step. */
  private column(): Float64Array {
    const { steps } = this;
    if (this.used + steps > this.block.length) {
      // As much again as there is, so that a few groups don't cost a block for many.
      this.block = new Float64Array(Math.max(steps, Math.min(BLOCK_VALUES, this.block.length * 2)));
      this.used = 0;
    }
    const from = this.used;
    this.used += steps;
    return this.block.subarray(from, this.used);
  }

  /** Adds a series; its column isn't kept. */
  add(labels: Labels, dropName: boolean, { values, has }: Column): void {
    const group = this.index.of(labels);
    group.dropName ||= dropName;
    const isWhole = has.indexOf(0) < 0;
    if (isWhole) group.whole++;
    else {
      const counts = this.countsOf(group);
      for (let i = 0; i < counts.length; i++) counts[i] += has[i];
    }
    switch (this.op) {
      case 'count':
      case 'group':
        return;
      case 'sum':
      case 'avg':
        addPresent(group.values, group.second, values, has, isWhole);
        return;
      case 'max':
        keepLargest(group.values, values, has);
        return;
      case 'min':
        keepSmallest(group.values, values, has);
        return;
      case 'stddev':
      case 'stdvar':
        addDistances(group, values, has, isWhole);
    }
  }

  /** What was added so far, to be merged elsewhere. */
  get groups(): readonly Sums[] {
    return this.index.groups;
  }

  /**
   * Adds what another aggregation of the same kind has of other series; its operation must be mergeable. The groups belong
   * to this one afterwards.
   */
  merge(groups: readonly Sums[]): void {
    for (const part of groups) {
      this.adopted = part;
      const group = this.index.of(part.labels);
      if (group === part) continue;
      group.dropName ||= part.dropName;
      this.mergeValues(group, part);
      group.whole += part.whole;
      if (part.counts.length === 0) continue;
      const counts = this.countsOf(group);
      for (let i = 0; i < counts.length; i++) counts[i] += part.counts[i];
    }
    this.adopted = undefined;
  }

  private countsOf(group: Sums): Uint32Array {
    if (group.counts.length === 0) group.counts = new Uint32Array(this.steps);
    return group.counts;
  }

  private mergeValues(group: Sums, part: Sums): void {
    const { values, second } = group;
    const { op, steps } = this;
    switch (op) {
      case 'count':
      case 'group':
        return;
      case 'sum':
      case 'avg':
        for (let i = 0; i < steps; i++) {
          addPrecisely(values, second, i, part.values[i]);
          second[i] += part.second[i];
        }
        return;
      // NaN gives way to anything, and is what a step without values has.
      case 'max':
        for (let i = 0; i < steps; i++) {
          if (part.values[i] > values[i] || Number.isNaN(values[i])) values[i] = part.values[i];
        }
        return;
      case 'min':
        for (let i = 0; i < steps; i++) {
          if (part.values[i] < values[i] || Number.isNaN(values[i])) values[i] = part.values[i];
        }
        return;
      case 'stddev':
      case 'stdvar':
        throw new Error(`BUG: ${op} can't be merged`);
    }
  }

  /**
   * The series of the result; `undefined` where a mean can only be told by looking at all values again: the sum
   * overflowed, and the mean may be finite even so.
   */
  finish(): VectorSeries[] | undefined {
    const out: VectorSeries[] = [];
    this.context.release(this.index.groups.length * this.steps * 2);
    for (const group of this.index.groups) {
      this.context.tick(this.steps);
      const has = new Uint8Array(this.steps);
      if (group.whole > 0) has.fill(1);
      else for (let i = 0; i < has.length; i++) has[i] = Number(group.counts[i] > 0);
      const values = group.values.length > 0 ? group.values : this.column();
      if (!this.complete(group, values)) return undefined;
      out.push({
        labels: group.labels,
        values,
        has,
        histograms: undefined,
        dropName: group.dropName,
      });
    }
    return out;
  }

  /** Makes the values of a group what the aggregation means; false for a mean that isn't finite. */
  private complete({ second, counts, whole }: Sums, values: Float64Array): boolean {
    const { op } = this;
    for (let i = 0; i < values.length; i++) {
      const count = (counts.length > 0 ? counts[i] : 0) + whole;
      if (count === 0) continue;
      switch (op) {
        case 'count':
          values[i] = count;
          break;
        case 'group':
          values[i] = 1;
          break;
        case 'sum':
          // What was lost of a sum that is infinite or NaN is NaN itself.
          if (Number.isFinite(values[i])) values[i] += second[i];
          break;
        case 'avg':
          if (!Number.isFinite(values[i])) return false;
          values[i] = values[i] / count + second[i] / count;
          break;
        case 'stddev':
          values[i] = Math.sqrt(values[i] / count);
          break;
        case 'stdvar':
          values[i] /= count;
          break;
        case 'min':
        case 'max':
          break;
      }
    }
    return true;
  }
}

/** Adds the values that there are. Mostly only the first or last steps have none, and the rest is a range. */
function addPresent(
  sums: Float64Array,
  lost: Float64Array,
  values: Float64Array,
  has: Uint8Array,
  isWhole: boolean,
): void {
  const from = isWhole ? 0 : has.indexOf(1);
  const to = isWhole ? values.length : has.lastIndexOf(1) + 1;
  if (isWhole || has.subarray(from, to).indexOf(0) < 0) {
    for (let i = from; i < to; i++) addPrecisely(sums, lost, i, values[i]);
    return;
  }
  for (let i = from; i < to; i++) if (has[i] === 1) addPrecisely(sums, lost, i, values[i]);
}

/** Adds to a sum and to what it lost: Knuth's two-sum gives the same error as Neumaier's and needs no branch. */
function addPrecisely(sums: Float64Array, lost: Float64Array, i: number, value: number): void {
  const sum = sums[i];
  const next = sum + value;
  const added = next - sum;
  lost[i] += sum - (next - added) + (value - added);
  sums[i] = next;
}

/** NaN gives way to anything. */
function keepLargest(kept: Float64Array, values: Float64Array, has: Uint8Array): void {
  for (let i = 0; i < values.length; i++) {
    if (has[i] === 1 && (values[i] > kept[i] || Number.isNaN(kept[i]))) kept[i] = values[i];
  }
}

function keepSmallest(kept: Float64Array, values: Float64Array, has: Uint8Array): void {
  for (let i = 0; i < values.length; i++) {
    if (has[i] === 1 && (values[i] < kept[i] || Number.isNaN(kept[i]))) kept[i] = values[i];
  }
}

/** Welford's method: `values` are sums of squared distances from the mean, `second` the mean. */
function addDistances(group: Sums, values: Float64Array, has: Uint8Array, isWhole: boolean): void {
  const { values: squares, second: means, counts, whole } = group;
  for (let i = 0; i < values.length; i++) {
    if (!isWhole && has[i] === 0) continue;
    const distance = values[i] - means[i];
    means[i] += distance / ((counts.length > 0 ? counts[i] : 0) + whole);
    squares[i] += distance * (values[i] - means[i]);
  }
}
