import type { Span } from '../../model/index.ts';
import type { MetricsExpr } from './ast.ts';
import { limitError } from './errors.ts';
import { compileTest, KIND, STATUS, type Value } from './field.ts';
import type { TraceSeries } from './metrics.ts';
import type { Budget } from './time-buckets.ts';
import type { TraceView } from './trace-view.ts';

type CompareExpr = MetricsExpr & { kind: 'series' };

/** Values that each attribute shows of each side, unless the query says how many. */
const DEFAULT_TOP = 10;
/** Attributes that are compared, of spans and resources together. */
const MAX_ATTRIBUTES = 1000;
/** Values of one attribute on one side; an attribute with more is an identifier, which comparing says nothing about. */
const MAX_VALUES = 10_000;
/** Pairs of a value and a sample that are kept altogether. */
const MAX_COUNTS = 1_000_000;

interface Tally {
  readonly value: Value;
  total: number;
  /** Spans by sample. */
  readonly counts: Map<number, number>;
}

interface Side {
  readonly totals: Map<string, Tally>;
  readonly values: Map<string, Map<string, Tally>>;
}

/**
 * `compare({ selection }, top, start, end)`: how often each value of each attribute occurs in the selected spans and in
 * all others. Series carry `__meta_type` (`baseline`, `selection`, and `…_total` for the spans that have the attribute at
 * all) and the attribute. An attribute with more values than are shown has a series with `__meta_error` besides, and one
 * with more than 10,000 on a side shows none of that side. Compared are the attributes of spans and resources, name,
 * kind, status and status message; unlike in Tempo not the root's name and service.
 */
export class Comparison {
  private readonly isSelected: (span: Span, trace: TraceView | undefined) => boolean;
  private readonly top: number;
  private readonly count: number;
  private readonly budget: Budget;
  private readonly sides: Readonly<Record<'baseline' | 'selection', Side>> = {
    baseline: { totals: new Map(), values: new Map() },
    selection: { totals: new Map(), values: new Map() },
  };
  private readonly overflowing = new Set<string>();
  private kept = 0;

  /** @param count Samples of each series. */
  constructor(expr: CompareExpr, count: number, budget: Budget) {
    const [top = DEFAULT_TOP, startNs = 0, endNs = 0] = expr.params;
    const selection = expr.selection?.kind === 'filter' ? expr.selection.expr : undefined;
    const test = compileTest(selection);
    const isTimed = startNs > 0 && endNs > 0;
    this.isSelected = (span, trace) => {
      const start = Number(span.startNs);
      return (!isTimed || (start >= startNs && start < endNs)) && test(span, trace);
    };
    this.top = top;
    this.count = count;
    this.budget = budget;
  }

  /** Counts a span. @throws BarographError `query_limit`. */
  add(sample: number, span: Span, trace: TraceView | undefined): void {
    if (sample < 0 || sample >= this.count) return;
    const side = this.sides[this.isSelected(span, trace) ? 'selection' : 'baseline'];
    this.observe(side, 'name', span.name, sample);
    this.observe(side, 'kind', KIND[span.kind], sample);
    this.observe(side, 'status', STATUS[span.status], sample);
    if (span.statusMessage !== '') this.observe(side, 'statusMessage', span.statusMessage, sample);
    for (const [prefix, attributes] of [
      ['span.', span.attributes],
      ['resource.', span.resource],
    ] as const) {
      for (const name in attributes) {
        const value = attributes[name];
        // Lists and maps are no values that spans have in common.
        if (typeof value === 'object') continue;
        this.observe(side, prefix + name, value, sample);
      }
    }
  }

  /** The series. @throws BarographError `query_limit`. */
  finish(): TraceSeries[] {
    const out: TraceSeries[] = [];
    for (const type of ['baseline', 'selection'] as const) {
      for (const [name, values] of sorted(this.sides[type].values)) {
        const ranked = [...values.values()].sort(
          (a, b) => b.total - a.total || (keyOf(a.value) < keyOf(b.value) ? -1 : 1),
        );
        if (ranked.length > this.top) this.overflowing.add(name);
        for (const tally of ranked.slice(0, this.top)) out.push(this.seriesOf(type, name, tally));
      }
    }
    for (const type of ['baseline', 'selection'] as const)
      for (const [name, tally] of sorted(this.sides[type].totals))
        out.push(this.seriesOf(`${type}_total`, name, tally));
    for (const name of [...this.overflowing].sort()) {
      const labels = [
        { name: '__meta_error', value: '__too_many_values__' },
        { name, value: undefined },
      ];
      out.push({ labels, values: new Float64Array(this.count).fill(Number.NaN), isMark: true });
    }
    return out;
  }

  private seriesOf(type: string, name: string, tally: Tally): TraceSeries {
    this.budget.takeCells(this.count);
    const values = new Float64Array(this.count);
    for (const [sample, count] of tally.counts) values[sample] = count;
    return {
      labels: [
        { name: '__meta_type', value: type },
        { name, value: tally.value },
      ],
      values,
    };
  }

  private observe(side: Side, name: string, value: Value, sample: number): void {
    let total = side.totals.get(name);
    if (total === undefined) {
      if (side.totals.size >= MAX_ATTRIBUTES) {
        const fix = 'narrow the query to spans with fewer different attributes';
        throw limitError('attributes of compare()', `more than ${MAX_ATTRIBUTES}`, 'attributes', MAX_ATTRIBUTES, fix);
      }
      total = { value: undefined, total: 0, counts: new Map() };
      side.totals.set(name, total);
      side.values.set(name, new Map());
    }
    this.tick(total, sample);
    const values = side.values.get(name);
    if (values === undefined) return;
    const key = keyOf(value);
    let tally = values.get(key);
    if (tally === undefined) {
      if (values.size >= MAX_VALUES) {
        this.overflowing.add(name);
        for (const { counts } of values.values()) this.kept -= counts.size;
        side.values.delete(name);
        return;
      }
      tally = { value, total: 0, counts: new Map() };
      values.set(key, tally);
    }
    this.tick(tally, sample);
  }

  private tick(tally: Tally, sample: number): void {
    const before = tally.counts.get(sample);
    if (before === undefined && ++this.kept > MAX_COUNTS) {
      const fix = 'use a longer step, a shorter range or a narrower filter';
      throw limitError('values times samples of compare()', `more than ${MAX_COUNTS}`, 'counts', MAX_COUNTS, fix);
    }
    tally.total++;
    tally.counts.set(sample, (before ?? 0) + 1);
  }
}

/** A value's type and text, so that 1 and "1" differ. */
function keyOf(value: Value): string {
  return typeof value === 'object' && 'keyword' in value ? value.keyword : `${typeof value}:${String(value)}`;
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
