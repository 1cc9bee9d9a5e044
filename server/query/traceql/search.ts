import type { Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import type { AttributeField, IntrinsicField } from './ast.ts';
import { cancelledError, invalidQuery, limitError, unsupportedQuery } from './errors.ts';
import { compilePipeline, type Spanset, wholeTrace } from './evaluate.ts';
import { compileField, compileTest, type Value } from './field.ts';
import { parseTraceql } from './parse.ts';
import { planSearch, printSearchPlan, type SearchPlan } from './plan.ts';
import { printField } from './print.ts';
import { TraceView } from './trace-view.ts';

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
  readonly rootServiceName: string;
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
/** Candidates that one search looks at; a query that needs more is told to narrow down, not cut short silently. */
const MAX_CANDIDATES = 100_000;
/** Traces loaded at a time; a trace may have tens of thousands of spans. */
const CHUNK = 16;
/** What Tempo shows where a trace's root isn't there. */
const NO_ROOT = '<root span not yet received>';

/**
 * Finds traces. Candidates are found by the span that every match must have, newest first; then whole traces are loaded
 * and the query is evaluated on them, so counts and relations are exact, also for spans outside the time range.
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
  const plan = planSearch(expr.pipeline);
  const run = compilePipeline(expr.pipeline);
  const tests = plan.seeds.map(compileTest);
  const show = compileShown(plan);
  const seen = new Set<string>();
  const traces: FoundTrace[] = [];
  let pending: string[] = [];
  let inspectedSpans = 0;
  const drain = async () => {
    for (const trace of viewTraces(await reader.tracesById(pending), pending)) {
      const sets = run(trace, wholeTrace(trace));
      if (sets.length > 0 && traces.length < limit) traces.push(foundTrace(trace, sets, shownSpans, show));
    }
    pending = [];
  };
  const request = { startNs: params.startNs, endNs: params.endNs, conditions: plan.conditions };
  if (params.signal?.aborted) throw cancelledError();
  search: for await (const batch of reader.spans(request, params.signal)) {
    if (params.signal?.aborted) throw cancelledError();
    for (const span of batch) {
      inspectedSpans++;
      if (seen.has(span.traceId) || !tests.some((test) => test(span, undefined))) continue;
      seen.add(span.traceId);
      if (seen.size > MAX_CANDIDATES) {
        throw limitError(
          'candidate traces of a search',
          `more than ${MAX_CANDIDATES}`,
          MAX_CANDIDATES,
          'use a shorter time range or a narrower filter',
        );
      }
      pending.push(span.traceId);
      if (pending.length >= Math.min(CHUNK, limit - traces.length)) await drain();
      if (traces.length >= limit) break search;
    }
  }
  if (pending.length > 0) await drain();
  traces.sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0));
  return { traces, inspectedTraces: seen.size, inspectedSpans };
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
  throw limitError(what, String(value), MAX_LIMIT, 'ask for fewer');
}

/** The traces in the order in which they were asked for. */
export function viewTraces(spans: readonly Span[], traceIds: readonly string[]): TraceView[] {
  const byTrace = new Map<string, Span[]>(traceIds.map((id) => [id, []]));
  for (const span of spans) byTrace.get(span.traceId)?.push(span);
  return [...byTrace.values()].filter((list) => list.length > 0).map((list) => new TraceView(list));
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
  const rooted = trace.root.parentSpanId === '';
  const services = new Map<string, { name: string; spans: number; errors: number }>();
  for (const { serviceName, status } of trace.spans) {
    const service = services.get(serviceName) ?? { name: serviceName, spans: 0, errors: 0 };
    services.set(serviceName, service);
    service.spans++;
    if (status === 'error') service.errors++;
  }
  return {
    traceId: trace.traceId,
    rootServiceName: rooted ? trace.root.serviceName : NO_ROOT,
    rootTraceName: rooted ? trace.root.name : '',
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
