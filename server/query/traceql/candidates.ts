import type { Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import { cancelledError, limitError } from './errors.ts';
import { compileTest } from './field.ts';
import type { SearchPlan } from './plan.ts';
import { TraceView } from './trace-view.ts';

/** Candidates that one query looks at; a query that needs more is told to narrow down, not cut short silently. */
const MAX_CANDIDATES = 100_000;

/** A time range over the starts of spans, and what a query touched in it. */
export interface Scan {
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  readonly signal: AbortSignal | undefined;
  inspectedTraces: number;
  inspectedSpans: number;
}

/** Spans in the range that pass the plan's conditions, newest first, whether they match or not. */
export async function* candidateSpans(plan: SearchPlan, scan: Scan, reader: TraceReader): AsyncGenerator<Span> {
  const { startNs, endNs, signal } = scan;
  const tests = plan.seeds.map(compileTest);
  if (signal?.aborted) throw cancelledError();
  for await (const batch of reader.spans({ startNs, endNs, conditions: plan.conditions }, signal)) {
    if (signal?.aborted) throw cancelledError();
    for (const span of batch) {
      scan.inspectedSpans++;
      if (tests.some((test) => test(span, undefined))) yield span;
    }
  }
}

/**
 * Whole traces that may match, those with the newest candidate first, each once. They are loaded in groups of
 * `groupSize()`, because a trace may have tens of thousands of spans.
 * @throws BarographError `query_limit`, `cancelled`.
 */
export async function* candidateTraces(
  plan: SearchPlan,
  scan: Scan,
  groupSize: () => number,
  reader: TraceReader,
): AsyncGenerator<TraceView> {
  const seen = new Set<string>();
  let pending: string[] = [];
  for await (const span of candidateSpans(plan, scan, reader)) {
    if (seen.has(span.traceId)) continue;
    seen.add(span.traceId);
    scan.inspectedTraces++;
    if (seen.size > MAX_CANDIDATES) {
      const fix = 'use a shorter time range or a narrower filter';
      throw limitError('candidate traces of a TraceQL query', `more than ${MAX_CANDIDATES}`, MAX_CANDIDATES, fix);
    }
    pending.push(span.traceId);
    if (pending.length < groupSize()) continue;
    yield* viewTraces(await reader.tracesById(pending), pending);
    pending = [];
  }
  if (pending.length > 0) yield* viewTraces(await reader.tracesById(pending), pending);
}

/** The traces in the order in which they were asked for. */
function viewTraces(spans: readonly Span[], traceIds: readonly string[]): TraceView[] {
  const byTrace = new Map<string, Span[]>(traceIds.map((id) => [id, []]));
  for (const span of spans) byTrace.get(span.traceId)?.push(span);
  return [...byTrace.values()].filter((list) => list.length > 0).map((list) => new TraceView(list));
}
