import type { Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import type { AttributeField, IntrinsicField } from './ast.ts';
import { openScan, visitCandidateTraces } from './candidates.ts';
import { invalidQuery, limitError, unsupportedQuery } from './errors.ts';
import { compilePipeline, type Spanset, wholeTrace } from './evaluate.ts';
import { compileField, type Value } from './field.ts';
import { DEFAULT_TRACEQL_LIMITS, type TraceqlLimits } from './limits.ts';
import { parseTraceql } from './parse.ts';
import { planSearch, printSearchPlan, type SearchPlan } from './plan.ts';
import { printField } from './print.ts';
import type { TraceView } from './trace-view.ts';

/** What a search is asked over. */
export interface TraceSearchParams {
  /** A trace is a candidate where a span starts in this range: inclusive … */
  readonly startNs: bigint;
  /** … exclusive. */
  readonly endNs: bigint;
  /** Traces at most, 1 to 1000 (default 20). */
  readonly limit?: number;
  /** Spans shown of each spanset at most, 1 to 1000 (default 3); all of them are counted. */
  readonly spansPerSpanset?: number;
  readonly signal?: AbortSignal;
  readonly limits?: Partial<TraceqlLimits>;
}

/** A found span: what it is, and the attributes that the query names. */
export interface FoundSpan {
  readonly spanId: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly attributes: readonly FoundAttribute[];
}

export interface FoundAttribute {
  readonly name: string;
  readonly value: Value;
}

/** A set of found spans; `matched` counts them all. */
export interface FoundSpanset {
  readonly spans: readonly FoundSpan[];
  readonly matched: number;
  /** What `by` grouped the spans by. */
  readonly attributes: readonly FoundAttribute[];
}

/** A found trace. */
export interface FoundTrace {
  readonly traceId: string;
  /** `<root span not yet received>` where the root or its service name isn't there, as Tempo's API says it. */
  readonly rootServiceName: string;
  /** The root's name; empty where it isn't there. */
  readonly rootTraceName: string;
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly spansets: readonly FoundSpanset[];
  readonly services: readonly { readonly name: string; readonly spans: number; readonly errors: number }[];
}

/** A search's answer: traces, the newest first. */
export interface TraceSearchResult {
  readonly traces: readonly FoundTrace[];
  readonly inspectedTraces: number;
  readonly inspectedSpans: number;
}

const MAX_LIMIT = 1000;
/** What Tempo shows where a trace's root isn't there. */
const NO_ROOT = '<root span not yet received>';

/**
 * Finds traces. Candidates are found by the span that every match must have, newest first; then whole traces are loaded
 * and the query is evaluated on them, so counts and relations are exact, also for spans outside the time range.
 *
 * A query that passes a limit fails with `query_limit` and answers nothing: Tempo's search has no mark for a partial
 * answer, and traces that are missing unseen would be a wrong one.
 * @throws BarographError `traceql_syntax`, `traceql_invalid`, `traceql_unsupported`, `query_limit`, `cancelled`.
 */
export async function searchTraceql(
  text: string,
  params: TraceSearchParams,
  reader: TraceReader,
): Promise<TraceSearchResult> {
  const limit = checkLimit('limit of a trace search', params.limit ?? 20);
  const shownSpans = checkLimit('spans per spanset', params.spansPerSpanset ?? 3);
  const expr = parseTraceql(text === '' ? '{ }' : text);
  if (expr.kind !== 'spans') {
    throw unsupportedQuery(
      'a metrics query in a search',
      'a query that selects spans; ask /api/metrics/query_range for numbers',
    );
  }
  const limits = { ...DEFAULT_TRACEQL_LIMITS, ...params.limits };
  const plan = planSearch(expr.pipeline);
  const run = compilePipeline(expr.pipeline);
  const show = compileShown(plan);
  const newest = new NewestTraces(limit, limits);
  const { startNs, endNs, signal } = params;
  const scan = openScan({ startNs, endNs, limits, signal });
  await visitCandidateTraces(plan, scan, reader, {
    firstGroup: limit,
    visit: (trace, rank) => {
      if (!newest.wants(rank)) return;
      const sets = run(trace, wholeTrace(trace));
      if (sets.length > 0) newest.add(foundTrace(trace, sets, shownSpans, show), rank);
    },
    isDone: () => newest.isFull,
  });
  const traces = newest.traces();
  traces.sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0));
  return { traces, inspectedTraces: scan.inspectedTraces, inspectedSpans: scan.inspectedSpans };
}

/** Found traces, of which those with the newest candidates are kept. */
class NewestTraces {
  private readonly limit: number;
  private readonly maxShown: number;
  private readonly found: { readonly rank: number; readonly trace: FoundTrace; readonly shown: number }[] = [];
  private shown = 0;

  constructor(limit: number, { shownSpans }: TraceqlLimits) {
    this.limit = limit;
    this.maxShown = shownSpans;
  }

  get isFull(): boolean {
    return this.found.length >= this.limit;
  }

  /** Whether a trace of this rank would be kept. */
  wants(rank: number): boolean {
    return !this.isFull || rank < this.found[this.found.length - 1].rank;
  }

  /** @throws BarographError `query_limit` where the kept traces show too many spans. */
  add(trace: FoundTrace, rank: number): void {
    const shown = trace.spansets.reduce((sum, { spans }) => sum + spans.length, 0);
    let at = this.found.length;
    while (at > 0 && this.found[at - 1].rank > rank) at--;
    this.found.splice(at, 0, { rank, trace, shown });
    this.shown += shown;
    if (this.found.length > this.limit) this.shown -= this.found.pop()!.shown;
    if (this.shown > this.maxShown) {
      const fix = 'ask for fewer traces (limit) or fewer spans of each set (spss)';
      throw limitError('spans that a trace search shows', String(this.shown), 'shownSpans', this.maxShown, fix);
    }
  }

  traces(): FoundTrace[] {
    return this.found.map(({ trace }) => trace);
  }
}

/** How a query would search, as text. @throws as `parseTraceql`. */
export function explainTraceql(text: string): string {
  const expr = parseTraceql(text);
  if (expr.kind !== 'spans') throw unsupportedQuery('metrics', 'a query that selects spans');
  return printSearchPlan(planSearch(expr.pipeline));
}

function checkLimit(what: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_LIMIT) return value;
  if (!Number.isInteger(value) || value < 1)
    throw invalidQuery(what, `got ${value}`, `use a whole number from 1 to ${MAX_LIMIT}`);
  throw limitError(what, String(value), 'limit and spss', MAX_LIMIT, 'ask for fewer');
}

type ShowSpan = (span: Span, trace: TraceView) => FoundAttribute[];

/** Intrinsics that a found span shows anyway. */
const ALWAYS_SHOWN: ReadonlySet<string> = new Set(['span:name', 'span:duration', 'span:id']);

function compileShown(plan: SearchPlan): ShowSpan {
  const fields = plan.shown
    .filter((field) => field.kind === 'attribute' || !ALWAYS_SHOWN.has(field.name))
    .map((field) => ({ name: shownName(field), read: compileField(field) }));
  return (span, trace) => {
    const attributes: FoundAttribute[] = [];
    for (const { name, read } of fields) {
      const value = read(span, trace);
      const empty = value === undefined || (Array.isArray(value) && value.length === 0);
      if (!empty && !attributes.some((shown) => shown.name === name)) attributes.push({ name, value });
    }
    return attributes;
  };
}

/** Attributes are shown by their bare name, as Tempo does. */
function shownName(field: AttributeField | IntrinsicField): string {
  if (field.kind === 'intrinsic') return printField(field);
  return field.ofParent ? `parent.${field.name}` : field.name;
}

function foundTrace(trace: TraceView, sets: readonly Spanset[], shownSpans: number, show: ShowSpan): FoundTrace {
  const services = new Map<string, { name: string; spans: number; errors: number }>();
  for (const { serviceName, status } of trace.spans) {
    const service = services.get(serviceName) ?? { name: serviceName, spans: 0, errors: 0 };
    services.set(serviceName, service);
    service.spans++;
    if (status === 'error') service.errors++;
  }
  return {
    traceId: trace.traceId,
    rootServiceName: trace.root?.serviceName || NO_ROOT,
    rootTraceName: trace.root?.name ?? '',
    startNs: trace.startNs,
    durationNs: trace.endNs - trace.startNs,
    spansets: sets.map(({ spans, groups }) => ({
      matched: spans.length,
      attributes: groups,
      spans: spans.slice(0, shownSpans).map((span) => ({
        spanId: span.spanId,
        name: span.name,
        startNs: span.startNs,
        durationNs: span.durationNs,
        attributes: show(span, trace),
      })),
    })),
    services: [...services.values()],
  };
}
