import type { BarographError, Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import { cancelledError, limitError } from './errors.ts';
import { compileTest } from './field.ts';
import type { TraceqlLimits } from './limits.ts';
import type { SearchPlan } from './plan.ts';
import { TraceView } from './trace-view.ts';

/** A time range over the starts of spans, and what a query touched in it. */
export interface Scan {
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  readonly limits: TraceqlLimits;
  readonly signal: AbortSignal | undefined;
  inspectedTraces: number;
  /** Spans that were looked at for candidates. */
  inspectedSpans: number;
  /** Spans of whole traces. */
  loadedSpans: number;
}

/** Begins a scan. */
export function openScan(parts: Pick<Scan, 'startNs' | 'endNs' | 'limits' | 'signal'>): Scan {
  return { ...parts, inspectedTraces: 0, inspectedSpans: 0, loadedSpans: 0 };
}

/**
 * Spans in the range that pass the plan's conditions, newest first, whether they match or not, in batches (each span by
 * itself would cost as much as what is done with it), with the plan's `spanParts`.
 * @throws BarographError `query_limit`, `cancelled`.
 */
export async function* candidateSpans(
  plan: SearchPlan,
  scan: Scan,
  reader: TraceReader,
  endNs = scan.endNs,
): AsyncGenerator<Span[]> {
  const { startNs, signal } = scan;
  const tests = plan.seeds.map(compileTest);
  if (signal?.aborted) throw cancelledError();
  const request = { startNs, endNs, conditions: plan.conditions, parts: plan.spanParts };
  for await (const batch of reader.spans(request, signal)) {
    if (signal?.aborted) throw cancelledError();
    scan.inspectedSpans += batch.length;
    checkSpans(scan);
    const passing = batch.filter((span) => tests.some((test) => test(span, undefined)));
    if (passing.length > 0) yield passing;
  }
}

/** How a query goes through its candidate traces. */
export interface TraceVisit {
  /** Traces of the first group; the next ones are larger, for a query that finds little wants to see many. */
  readonly firstGroup: number;
  /** Gets every trace of a group, in no order; `rank` 0 is the trace with the newest candidate span. */
  readonly visit: (trace: TraceView, rank: number) => void;
  /** Asked after each group. */
  readonly isDone: () => boolean;
}

/** Traces that are loaded by one read at most. */
const MAX_GROUP = 1024;
/** How many more candidates each search for further ones gathers than the one before. */
const GATHER_GROWTH = 16;

/**
 * Visits whole traces that may match, each once, in groups from the newest to the oldest candidate. Only one trace is
 * in memory at a time. Candidates are gathered before traces are read, never meanwhile: a query that held one stream
 * of the store while it waits for another could wait forever when all others do the same.
 * @throws BarographError `query_limit`, `cancelled`.
 */
export async function visitCandidateTraces(
  plan: SearchPlan,
  scan: Scan,
  reader: TraceReader,
  { firstGroup, visit, isDone }: TraceVisit,
): Promise<void> {
  const ranks = new Map<string, number>();
  let endNs: bigint | undefined = scan.endNs;
  let gather = firstGroup;
  let size = Math.min(firstGroup, MAX_GROUP);
  while (endNs !== undefined) {
    const found = await gatherCandidates(plan, scan, reader, { ranks, endNs, count: gather });
    endNs = found.nextEndNs;
    gather *= GATHER_GROWTH;
    for (let at = 0; at < found.traceIds.length; ) {
      const traceIds = found.traceIds.slice(at, at + size);
      at += size;
      size = Math.min(2 * size, MAX_GROUP);
      const request = { traceIds, limits: scan.limits, parts: plan.traceParts };
      for await (const spans of reader.traces(request, scan.signal)) {
        if (scan.signal?.aborted) throw cancelledError();
        scan.loadedSpans += spans.length;
        checkSpans(scan);
        visit(new TraceView(spans), ranks.get(spans[0].traceId)!);
      }
      if (isDone()) return;
    }
  }
}

interface Gathered {
  readonly traceIds: string[];
  /** Where to go on, exclusive; `undefined` where there is no more. */
  readonly nextEndNs: bigint | undefined;
}

/** The next candidates, up to `count`, that have no rank yet; they get one. */
async function gatherCandidates(
  plan: SearchPlan,
  scan: Scan,
  reader: TraceReader,
  { ranks, endNs, count }: { ranks: Map<string, number>; endNs: bigint; count: number },
): Promise<Gathered> {
  const traceIds: string[] = [];
  for await (const batch of candidateSpans(plan, scan, reader, endNs)) {
    for (const span of batch) {
      if (ranks.has(span.traceId)) continue;
      if (ranks.size >= scan.limits.candidates) throw tooManyCandidates(scan.limits.candidates);
      ranks.set(span.traceId, ranks.size);
      scan.inspectedTraces++;
      traceIds.push(span.traceId);
      // Other spans may start at the same nanosecond, so it is read again.
      if (traceIds.length >= count) return { traceIds, nextEndNs: span.startNs + 1n };
    }
  }
  return { traceIds, nextEndNs: undefined };
}

function tooManyCandidates(limit: number): BarographError {
  const fix = 'use a shorter time range or a narrower filter';
  return limitError('candidate traces of a TraceQL query', `more than ${limit}`, 'candidates', limit, fix);
}

function checkSpans({ inspectedSpans, loadedSpans, limits }: Scan): void {
  const spans = inspectedSpans + loadedSpans;
  if (spans <= limits.spans) return;
  const fix = 'use a shorter time range, or a filter that storage can use, such as resource.service.name = "…"';
  throw limitError('spans that a TraceQL query reads', `${spans}`, 'spans', limits.spans, fix);
}
