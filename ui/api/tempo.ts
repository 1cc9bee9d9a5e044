import type { Filters } from '../../server/dashboards/index.ts';
import { readTrace, type Trace } from './otlp-json.ts';
import { RequestError, type RequestQueue } from './requests.ts';

/** What a search tells of a trace. */
export interface TraceSummary {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  readonly rootName: string;
  readonly rootService: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
}

/** Searches traces by TraceQL in a range of seconds since the epoch. */
export async function searchTraces(
  queue: RequestQueue,
  expr: string,
  range: { startS: number; endS: number; limit: number },
  signal?: AbortSignal,
): Promise<TraceSummary[]> {
  const params = new URLSearchParams({
    q: expr,
    start: String(Math.floor(range.startS)),
    end: String(Math.ceil(range.endS)),
    limit: String(range.limit),
  });
  return readSearch(await queue.get(`/api/search?${params}`, signal));
}

/** One trace, or `undefined` where the server knows none of that ID. */
export async function fetchTrace(
  queue: RequestQueue,
  traceId: string,
  signal?: AbortSignal,
): Promise<Trace | undefined> {
  try {
    return readTrace(traceId, await queue.get(`/api/traces/${traceId}`, signal));
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return undefined;
    throw error;
  }
}

interface WireTrace {
  readonly traceID?: string;
  readonly rootServiceName?: string;
  readonly rootTraceName?: string;
  readonly startTimeUnixNano?: string;
  readonly durationMs?: number;
}

function readSearch(body: unknown): TraceSummary[] {
  const traces = (body as { traces?: WireTrace[] | null })?.traces ?? [];
  return traces.map((trace) => ({
    // Tempo leaves out leading zeros.
    traceId: (trace.traceID ?? '').padStart(32, '0'),
    rootName: trace.rootTraceName ?? '',
    rootService: trace.rootServiceName ?? '',
    startMs: Number(BigInt(trace.startTimeUnixNano ?? 0) / 1_000_000n),
    durationMs: trace.durationMs ?? 0,
  }));
}

/**
 * Names under which spans carry an allowed label: the contract's own, and OpenTelemetry's, which the receivers of metrics
 * bring onto it but which spans keep.
 */
export const SPAN_ATTRIBUTES = {
  model_version: ['model_version', 'gen_ai.response.model', 'gen_ai.request.model'],
  deployment: ['deployment', 'k8s.deployment.name', 'service.name'],
  customer_tier: ['customer_tier', 'customer.tier'],
  gpu_type: ['gpu_type'],
  region: ['region', 'cloud.region'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A panel's TraceQL with the conditions of the chosen labels in its braces. */
export function filterTraces(expr: string, filters: Filters): string {
  const conditions: string[] = [];
  for (const [label, names] of Object.entries(SPAN_ATTRIBUTES)) {
    const values = filters[label] ?? [];
    if (values.length === 0) continue;
    const any = names.flatMap((name) => values.map((value) => `.${name} = ${JSON.stringify(value)}`));
    conditions.push(any.length === 1 ? any[0] : `(${any.join(' || ')})`);
  }
  if (conditions.length === 0) return expr;
  const inner = expr.trim().slice(1, -1).trim();
  return `{ ${[...(inner === '' ? [] : [inner]), ...conditions].join(' && ')} }`;
}
