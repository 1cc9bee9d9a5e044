import { type Labels, labelsKey, labelValue, onlyLabels, withLabel, withoutLabels } from '../../model/index.ts';
import type { Binary } from './ast.ts';
import { combine, matchingNames, matchLabels, signatureOf } from './binary.ts';
import { type Cell, floatOperation, keepsName } from './cells.ts';
import { isComparison, isTrim } from './check.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { quote } from './strings.ts';
import { dropped, emptySeries, isEmptySeries, NAME_ONLY, type VectorSeries } from './values.ts';

/** The series of both sides that share one signature. */
interface MatchGroup {
  readonly many: VectorSeries[];
  readonly one: VectorSeries[];
}

/**
 * Arithmetic and comparisons of two vectors: one-to-one, many-to-one and one-to-many. The partner of a series is decided
 * at each step, because the series of one signature may replace each other in time; two at one step are an error.
 */
export function matchVectors(
  expr: Binary,
  left: VectorSeries[],
  right: VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const { matching } = expr;
  const names = matchingNames(matching);
  // The side of many is the left one unless group_right says otherwise.
  const swapped = matching?.group === 'right';
  const groups = new Map<string, MatchGroup>();
  const add = (side: 'many' | 'one', list: VectorSeries[]): void => {
    for (const series of list) {
      context.tick();
      const key = signatureOf(series.labels, matching, names);
      let group = groups.get(key);
      if (!group) groups.set(key, (group = { many: [], one: [] }));
      group[side].push(series);
    }
  };
  add('many', swapped ? right : left);
  add('one', swapped ? left : right);
  const many = presence(swapped ? right : left, context);
  const matcher = new Matcher(expr, names, swapped, many, context);
  for (const group of groups.values()) {
    context.tick();
    matcher.add(group);
  }
  return matcher.results();
}

/** The steps at which any series has a value. */
function presence(series: readonly VectorSeries[], context: EvaluationContext): Uint8Array {
  const any = new Uint8Array(series[0]?.has.length ?? 0);
  for (const { has } of series) {
    context.tick(any.length);
    for (let step = 0; step < any.length; step++) any[step] |= has[step];
  }
  return any;
}

/** A result while it is written. */
type Result = Omit<VectorSeries, 'histograms'> & { histograms: VectorSeries['histograms'] };

class Matcher {
  private readonly out = new Map<string, Result>();
  private readonly expr: Binary;
  private readonly names: ReadonlySet<string>;
  private readonly swapped: boolean;
  private readonly context: EvaluationContext;
  /** The steps at which the side of many has anything: only then a duplicate on the other side is an error. */
  private readonly anyMany: Uint8Array;
  /** What stands in for a missing series of the side of many and of the side of one. */
  private readonly fillMany: number | undefined;
  private readonly fillOne: number | undefined;

  constructor(
    expr: Binary,
    names: ReadonlySet<string>,
    swapped: boolean,
    anyMany: Uint8Array,
    context: EvaluationContext,
  ) {
    this.expr = expr;
    this.names = names;
    this.swapped = swapped;
    this.anyMany = anyMany;
    this.context = context;
    const { fillLeft, fillRight } = expr.matching ?? { fillLeft: undefined, fillRight: undefined };
    this.fillMany = swapped ? fillRight : fillLeft;
    this.fillOne = swapped ? fillLeft : fillRight;
  }

  results(): VectorSeries[] {
    return [...this.out.values()].filter((series) => !isEmptySeries(series));
  }

  add(group: MatchGroup): void {
    const { many, one } = group;
    const filled = this.fillMany !== undefined || this.fillOne !== undefined;
    if (!filled && one.length === 0) return;
    if (!filled && many.length === 0 && one.length === 1) return;
    if (!filled && many.length === 1 && one.length === 1 && this.addPlainPair(many[0], one[0])) return;
    this.addByStep(group);
  }

  /** The common case: one series on each side, floats only. Whole columns at once. */
  private addPlainPair(many: VectorSeries, one: VectorSeries): boolean {
    const { expr } = this;
    if (many.histograms || one.histograms || isTrim(expr.op)) return false;
    const { labels, dropName } = this.resultLabels(many, one);
    const key = labelsKey(labels);
    if (this.out.has(key)) return false;
    const f = floatOperation(expr.op);
    const [a, b] = this.swapped ? [one, many] : [many, one];
    const steps = a.values.length;
    const result = emptySeries(labels, steps, dropName);
    const filters = isComparison(expr.op) && !expr.bool;
    for (let i = 0; i < steps; i++) {
      if (!a.has[i] || !b.has[i]) continue;
      const value = f(a.values[i], b.values[i]);
      if (filters && value !== 1) continue;
      result.values[i] = filters ? a.values[i] : value;
      result.has[i] = 1;
    }
    this.out.set(key, result);
    return true;
  }

  private addByStep({ many, one }: MatchGroup): void {
    const partners = this.partners(one);
    const steps = partners.length;
    const grouped = this.expr.matching?.group !== undefined;
    const taken = new Uint8Array(steps);
    for (const series of many) {
      this.context.tick(steps);
      let target: Result | undefined;
      let partner: VectorSeries | undefined;
      for (let step = 0; step < steps; step++) {
        if (!series.has[step]) continue;
        const found = partners[step];
        if (!found && this.fillOne === undefined) continue;
        if (taken[step] && !grouped) {
          throw executionError(
            'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
          );
        }
        taken[step] = 1;
        if (!target || found !== partner) {
          partner = found;
          target = this.target(series, partner);
        }
        this.put(target, step, cellAt(series, step), partner ? cellAt(partner, step) : (this.fillOne as number));
      }
    }
    if (this.fillMany === undefined) return;
    for (let step = 0; step < steps; step++) {
      const partner = partners[step];
      if (!partner || taken[step]) continue;
      // The result is that of a series of the side of many with the labels that both sides share.
      const labels = matchLabels(partner.labels, this.expr.matching, this.names);
      this.put(this.target({ ...partner, labels }, partner), step, this.fillMany, cellAt(partner, step));
    }
  }

  /** The only series of the side of one that has a value, by step. */
  private partners(one: readonly VectorSeries[]): (VectorSeries | undefined)[] {
    const partners = new Array<VectorSeries | undefined>(this.anyMany.length || (one[0]?.has.length ?? 0));
    for (const series of one) {
      for (let step = 0; step < partners.length; step++) {
        if (!series.has[step]) continue;
        const known = partners[step];
        if (known && this.anyMany[step]) throw this.duplicates(known, series);
        partners[step] = series;
      }
    }
    return partners;
  }

  private target(many: VectorSeries, one: VectorSeries | undefined): Result {
    const { labels, dropName } = this.resultLabels(many, one);
    const key = labelsKey(labels);
    let result = this.out.get(key);
    if (!result) this.out.set(key, (result = emptySeries(labels, many.values.length, dropName)));
    return result;
  }

  private put(result: Result, step: number, many: Cell, one: Cell): void {
    const { expr, context } = this;
    const [a, b] = this.swapped ? [one, many] : [many, one];
    const pair = combine(expr, a, b, context);
    if (!pair || !(pair.holds || expr.bool)) return;
    if (result.has[step]) {
      throw executionError('multiple matches for labels: grouping labels must ensure unique matches');
    }
    const value = expr.bool ? Number(pair.holds) : pair.value;
    result.has[step] = 1;
    if (typeof value === 'number') result.values[step] = value;
    else (result.histograms ??= new Array(result.values.length))[step] = value;
  }

  /** Labels of a result: the side of many's, or the matched ones where each side has one. */
  private resultLabels(many: VectorSeries, one: VectorSeries | undefined): { labels: Labels; dropName: boolean } {
    const { expr, names, context } = this;
    const { matching } = expr;
    let { labels, dropName } = many;
    if (!keepsName(expr)) {
      // Arithmetic removes the name at once, since two names met; a `bool` comparison drops it like a function.
      if (expr.bool) ({ labels, dropName } = dropped(many, context));
      else {
        labels = withoutLabels(labels, NAME_ONLY);
        dropName = false;
      }
    }
    if (!matching?.group) {
      if (matching?.on) labels = onlyLabels(labels, names);
      else if (matching && matching.labels.length > 0) labels = withoutLabels(labels, new Set(matching.labels));
    } else {
      for (const name of matching.include) labels = withLabel(labels, name, one ? labelValue(one.labels, name) : '');
    }
    return { labels, dropName };
  }

  private duplicates(a: VectorSeries, b: VectorSeries): Error {
    const { matching } = this.expr;
    const group = printPairs(matchLabels(a.labels, matching, this.names));
    const both = [printPairs(a.labels), printPairs(b.labels)].sort().join(', ');
    const side = this.swapped ? 'left' : 'right';
    return executionError(
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${both}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }
}

function cellAt(series: VectorSeries, step: number): Cell {
  return series.histograms?.[step] ?? series.values[step];
}

function printPairs(labels: Labels): string {
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}=${quote(labels[i + 1])}`);
  return `{${pairs.join(', ')}}`;
}
