import type { Labels } from '../../model/index.ts';
import type { Aggregate } from './ast.ts';
import type { Column } from './columns.ts';
import type { EvaluationContext } from './context.ts';
import { GroupIndex } from './group-index.ts';
import type { VectorSeries } from './values.ts';

/** Places of all steps in one group at most; beyond, members are kept whole and chosen from. */
const MAX_PLACES = 4_000_000;

/** A series that a group looked at, by its number there. */
interface Member {
  readonly labels: Labels;
  readonly dropName: boolean;
}

/**
 * The best `k` of every step of one group: for each step a heap of places whose root is the worst. Better is a larger
 * score, then what came first; NaN is worse than anything.
 */
interface Heaps {
  /** By number; a member that no step keeps any more stays named, since others refer to it by number. */
  readonly members: Member[];
  readonly sizes: Int32Array;
  readonly scores: Float64Array;
  readonly numbers: Int32Array;
}

/** Whether `topk(k, …)` of these steps can be streamed: one `k` for all, and places for all of them. */
export function streamedK(expr: Aggregate, param: Float64Array | undefined, steps: number): number | undefined {
  if ((expr.op !== 'topk' && expr.op !== 'bottomk') || !param || steps === 0) return undefined;
  const k = Math.trunc(param[0]);
  if (!(k >= 1) || k * steps > MAX_PLACES) return undefined;
  return param.every((value) => Math.trunc(value) === k) ? k : undefined;
}

/**
 * `topk` and `bottomk` of series of floats as they come. Most values lose against the worst that is kept, which is one
 * comparison; walking through all series at each step would wait for memory at each of them.
 */
export class StreamedTop {
  private readonly sign: 1 | -1;
  private readonly k: number;
  private readonly steps: number;
  private readonly context: EvaluationContext;
  private readonly index: GroupIndex<Heaps>;
  private readonly maxGroups: number;
  private groups = 0;

  /** @param series How many series there will be at most: heaps must not take more room than these would. */
  constructor(expr: Aggregate, k: number, series: number, steps: number, context: EvaluationContext) {
    this.maxGroups = Math.max(1, Math.floor(series / k));
    this.sign = expr.op === 'topk' ? 1 : -1;
    this.k = k;
    this.steps = steps;
    this.context = context;
    this.index = new GroupIndex(expr, () => this.newGroup());
  }

  private newGroup(): Heaps {
    const places = ++this.groups > this.maxGroups ? 0 : this.k * this.steps;
    this.context.charge(places * 2);
    return {
      members: [],
      sizes: new Int32Array(this.steps),
      scores: new Float64Array(places),
      numbers: new Int32Array(places),
    };
  }

  /** Offers a series; its column isn't kept. */
  add(labels: Labels, dropName: boolean, { values, has }: Column): void {
    const heaps = this.index.of(labels);
    if (this.groups > this.maxGroups) return;
    const { sizes, scores } = heaps;
    const { k, sign } = this;
    const number = heaps.members.length;
    let isMember = false;
    for (let step = 0, at = 0; step < values.length; step++, at += k) {
      if (has[step] === 0) continue;
      const value = values[step] * sign;
      if (sizes[step] === k) {
        // NaN isn't larger than anything, and anything takes the place of NaN.
        const worst = scores[at];
        if (!(value > worst || (Number.isNaN(worst) && !Number.isNaN(value)))) continue;
        sink(heaps, at, k, value, number);
      } else raise(heaps, at, sizes[step]++, value, number);
      isMember = true;
    }
    if (isMember) heaps.members.push({ labels, dropName });
  }

  /**
   * The series that are kept at some step; those of an instant query the best first. `undefined` where there are too
   * many groups for heaps.
   */
  finish(): VectorSeries[] | undefined {
    const out: VectorSeries[] = [];
    const { k, sign, steps } = this;
    this.context.release(Math.min(this.groups, this.maxGroups) * k * steps * 2);
    if (this.groups > this.maxGroups) return undefined;
    for (const { members, sizes, scores, numbers } of this.index.groups) {
      const kept = new Map<number, VectorSeries>();
      for (let step = 0; step < steps; step++) {
        const from = step * k;
        const order = Array.from({ length: sizes[step] }, (_, i) => from + i);
        if (steps === 1) order.sort((a, b) => (isWorse(scores[a], numbers[a], scores[b], numbers[b]) ? 1 : -1));
        for (const place of order) {
          let series = kept.get(numbers[place]);
          if (!series) {
            this.context.tick(steps);
            const { labels, dropName } = members[numbers[place]];
            const [values, has] = [new Float64Array(steps), new Uint8Array(steps)];
            kept.set(numbers[place], (series = { labels, values, has, histograms: undefined, dropName }));
          }
          series.has[step] = 1;
          series.values[step] = scores[place] * sign;
        }
      }
      out.push(...kept.values());
    }
    return out;
  }
}

/** Whether a value ranks below another one: smaller, or NaN, or later of equals. */
function isWorse(score: number, number: number, otherScore: number, otherNumber: number): boolean {
  if (Number.isNaN(score) !== Number.isNaN(otherScore)) return Number.isNaN(score);
  if (score < otherScore) return true;
  if (score > otherScore) return false;
  return number > otherNumber;
}

/** Puts a value at the end of a heap of `size` places that begins at `base`, and lets it rise. */
function raise({ scores, numbers }: Heaps, base: number, size: number, score: number, number: number): void {
  let i = size;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!isWorse(score, number, scores[base + parent], numbers[base + parent])) break;
    scores[base + i] = scores[base + parent];
    numbers[base + i] = numbers[base + parent];
    i = parent;
  }
  scores[base + i] = score;
  numbers[base + i] = number;
}

/** Puts a value in place of the worst of a full heap of `k` places, and lets it sink. */
function sink({ scores, numbers }: Heaps, base: number, k: number, score: number, number: number): void {
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= k) break;
    const right = child + 1;
    if (
      right < k &&
      isWorse(scores[base + right], numbers[base + right], scores[base + child], numbers[base + child])
    ) {
      child = right;
    }
    if (!isWorse(scores[base + child], numbers[base + child], score, number)) break;
    scores[base + i] = scores[base + child];
    numbers[base + i] = numbers[base + child];
    i = child;
  }
  scores[base + i] = score;
  numbers[base + i] = number;
}
