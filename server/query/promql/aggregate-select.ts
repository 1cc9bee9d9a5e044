import { compareLabels, labelsKey, withLabel } from '../../model/index.ts';
import type { Group } from './aggregate.ts';
import type { Aggregate, AggregateOp, Expr } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { formatG, formatValue } from './format.ts';
import { grouping } from './group-index.ts';
import { printHistogram } from './histogram-text.ts';
import { placeOf } from './label-hash.ts';
import { quote } from './strings.ts';
import { emptySeries, isEmptySeries, type VectorSeries } from './values.ts';

/** Whether an aggregation keeps some of its members as they are. */
export function isSelection(op: AggregateOp): boolean {
  return op === 'topk' || op === 'bottomk' || op === 'limitk' || op === 'limit_ratio';
}

/** `topk` and its kin keep members as they are; which ones may differ from step to step. */
export function selectMembers(
  expr: Aggregate,
  groups: readonly Group[],
  param: Float64Array,
  steps: number,
  context: EvaluationContext,
): VectorSeries[] {
  checkParameter(expr, param, context);
  const out: VectorSeries[] = [];
  for (const { members } of groups) {
    const kept = new Map<VectorSeries, Uint8Array>();
    // Which members are the first k is arbitrary, but it must not change from one query to the next.
    if (expr.op === 'limitk') members.sort((a, b) => compareLabels(a.labels, b.labels));
    const places = expr.op === 'limit_ratio' ? members.map((member) => placeOf(member.labels)) : [];
    const heap = new Selection(members.length);
    for (let step = 0; step < steps; step++) {
      context.tick(members.length);
      for (const index of pick(expr, members, step, param[step], places, heap, context)) {
        const member = members[index];
        let has = kept.get(member);
        if (!has) kept.set(member, (has = new Uint8Array(steps)));
        has[step] = 1;
      }
    }
    for (const [member, has] of kept) out.push({ ...member, has });
  }
  return out;
}

export function checkParameter(expr: Aggregate, param: Float64Array, context: EvaluationContext): void {
  const ratio = expr.op === 'limit_ratio';
  for (const value of param) {
    if (Number.isNaN(value)) throw executionError(`${ratio ? 'Ratio' : 'Parameter'} value is NaN`);
    if (!ratio && value >= 2 ** 63) throw executionError(`Scalar value ${formatG(value)} overflows int64`);
    if (!ratio && value <= -(2 ** 63)) throw executionError(`Scalar value ${formatG(value)} underflows int64`);
    if (ratio && Math.abs(value) > 1) {
      const message = `ratio value should be between -1 and 1, got ${formatG(value)}, capping to ${Math.sign(value)}`;
      context.warn(message, (expr.param as Expr).position);
    }
  }
}

/** Indices of the members that one step keeps; for `topk` and `bottomk` the best first. */
function pick(
  expr: Aggregate,
  members: readonly VectorSeries[],
  step: number,
  param: number,
  places: readonly number[],
  heap: Selection,
  context: EvaluationContext,
): ArrayLike<number> & Iterable<number> {
  if (expr.op === 'limit_ratio') {
    const ratio = Math.max(-1, Math.min(1, param));
    return [...members.keys()].filter((i) => members[i].has[step] && isInRatio(ratio, places[i]));
  }
  const k = Math.min(members.length, Math.trunc(param));
  if (k < 1) return [];
  if (expr.op === 'limitk') {
    const first: number[] = [];
    for (let i = 0; i < members.length && first.length < k; i++) if (members[i].has[step]) first.push(i);
    return first;
  }
  heap.start(k);
  const sign = expr.op === 'topk' ? 1 : -1;
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (!member.has[step]) continue;
    if (member.histograms?.[step]) {
      context.info(`ignored histogram in ${expr.op} aggregation`, expr.expr.position);
      continue;
    }
    const value = member.values[step] * sign;
    // NaN is the worst for both, so it is taken only where nothing else is left.
    heap.offer(i, Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value, Number.isNaN(value));
  }
  return heap.best();
}

/** The k largest of a stream: a heap whose root is the worst of those that are kept. O(n log k), reused over steps. */
class Selection {
  private readonly items: Int32Array;
  private readonly scores: Float64Array;
  private readonly nan: Uint8Array;
  private size = 0;
  private k = 0;

  constructor(capacity: number) {
    this.items = new Int32Array(capacity);
    this.scores = new Float64Array(capacity);
    this.nan = new Uint8Array(capacity);
  }

  start(k: number): void {
    this.size = 0;
    this.k = k;
  }

  offer(item: number, score: number, nan: boolean): void {
    if (this.size < this.k) {
      let i = this.size++;
      this.set(i, item, score, nan);
      for (; i > 0 && this.isWorse(i, (i - 1) >> 1); i = (i - 1) >> 1) this.swap(i, (i - 1) >> 1);
      return;
    }
    const worst = this.scores[0];
    if (nan || !(score > worst || (this.nan[0] === 1 && score >= worst))) return;
    this.set(0, item, score, nan);
    this.sink();
  }

  /** The kept items, the best first; of equals the one that was offered first. */
  best(): Int32Array {
    const order = Array.from({ length: this.size }, (_, i) => i).sort((a, b) => {
      if (this.nan[a] !== this.nan[b]) return this.nan[a] - this.nan[b];
      return this.scores[b] - this.scores[a] || this.items[a] - this.items[b];
    });
    return Int32Array.from(order, (i) => this.items[i]);
  }

  private sink(): void {
    for (let i = 0; ; ) {
      let worst = i;
      const left = 2 * i + 1;
      if (left < this.size && this.isWorse(left, worst)) worst = left;
      if (left + 1 < this.size && this.isWorse(left + 1, worst)) worst = left + 1;
      if (worst === i) return;
      this.swap(i, worst);
      i = worst;
    }
  }

  private isWorse(a: number, b: number): boolean {
    if (this.nan[a] !== this.nan[b]) return this.nan[a] === 1;
    if (this.scores[a] !== this.scores[b]) return this.scores[a] < this.scores[b];
    return this.items[a] > this.items[b];
  }

  private set(i: number, item: number, score: number, nan: boolean): void {
    this.items[i] = item;
    this.scores[i] = score;
    this.nan[i] = Number(nan);
  }

  private swap(a: number, b: number): void {
    const [item, score, nan] = [this.items[a], this.scores[a], this.nan[a]];
    this.set(a, this.items[b], this.scores[b], this.nan[b] === 1);
    this.set(b, item, score, nan === 1);
  }
}

/**
 * Whether a place in the hash space lies in the share `ratio` of it; a negative ratio takes the complement. The hash is
 * Prometheus's, so that both keep the same series.
 */
function isInRatio(ratio: number, place: number): boolean {
  return ratio >= 0 ? place < ratio : place >= 1 + ratio;
}

/** `count_values("label", v)`: how many series have each value, which becomes a label. */
export function countValues(
  expr: Aggregate,
  input: readonly VectorSeries[],
  name: string,
  steps: number,
  context: EvaluationContext,
): VectorSeries[] {
  if (name === '' || !name.isWellFormed()) throw executionError(`invalid label name ${quote(name)}`);
  // The new label is one of those that group, even where it takes the place of another.
  const labelsOf = grouping(expr.grouping === 'by' ? { ...expr, labels: [...expr.labels, name] } : expr);
  const out = new Map<string, VectorSeries>();
  for (const member of input) {
    context.tick(steps);
    const byText = new Map<string, VectorSeries>();
    for (let step = 0; step < steps; step++) {
      if (!member.has[step]) continue;
      const histogram = member.histograms?.[step];
      const text = histogram ? printHistogram(histogram) : formatValue(member.values[step]);
      let series = byText.get(text);
      if (!series) {
        const labels = labelsOf(withLabel(member.labels, name, text));
        const key = labelsKey(labels);
        series = out.get(key);
        if (!series) {
          context.charge(steps);
          out.set(key, (series = emptySeries(labels, steps, member.dropName)));
        }
        byText.set(text, series);
      }
      series.has[step] = 1;
      series.values[step]++;
    }
  }
  return [...out.values()].filter((series) => !isEmptySeries(series));
}
