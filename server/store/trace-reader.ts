import { type Attributes, SPAN_KINDS, SPAN_STATUSES, type Span } from '../model/index.ts';
import type { ChunkSource, Rows } from './chunks.ts';
import type { SpanCondition, SpanRequest, TraceReader } from './reader.ts';
import { int64s, quote, text, uint64s, uints } from './rows.ts';
import type { SpanRest } from './write-buffer.ts';

const COLUMNS =
  'trace_hi, trace_lo, span, parent, start, duration, kind, status, name, service, attributes, resource, rest';
/** Spans in one batch, at most. */
const BATCH_SPANS = 4096;
/** The first window of a search, in nanoseconds; each next one, further back, is twice as long. */
const FIRST_WINDOW_NS = 120_000_000_000n;

/** The trace reader over DuckDB's table of spans. */
export function createTraceReader(source: ChunkSource): TraceReader {
  async function trace(traceId: string): Promise<Span[]> {
    const spans = await tracesById([traceId]);
    return spans.sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
  }

  async function tracesById(traceIds: readonly string[]): Promise<Span[]> {
    const pairs = traceIds.map((id) => `(${BigInt(`0x${id.slice(0, 16)}`)}, ${BigInt(`0x${id.slice(16)}`)})`);
    const spans = new Map<string, Span>();
    // Lists of some hundred pairs keep the statement's text small.
    for (let i = 0; i < pairs.length; i += 200) {
      const query = `SELECT ${COLUMNS} FROM spans WHERE (trace_hi, trace_lo) IN (${pairs.slice(i, i + 200).join(',')})`;
      for await (const chunk of source.read(query, undefined, undefined)) {
        for (const span of decodeSpans(chunk)) spans.set(span.traceId + span.spanId, span);
      }
    }
    return [...spans.values()];
  }

  async function* spans(request: SpanRequest, signal?: AbortSignal): AsyncGenerator<Span[]> {
    const conditions = request.conditions.map(conditionSql);
    let length = FIRST_WINDOW_NS;
    for (let to = request.endNs; to > request.startNs; length *= 2n) {
      const from = to - length > request.startNs ? to - length : request.startNs;
      const where = [`start >= ${from}`, `start < ${to}`, ...conditions].join(' AND ');
      const query = `SELECT ${COLUMNS} FROM spans WHERE ${where} ORDER BY start DESC`;
      let batch = new Map<string, Span>();
      for await (const chunk of source.read(query, undefined, signal)) {
        // Copies of a span that a retried request left behind have the same start, so they meet in one batch.
        for (const span of decodeSpans(chunk)) batch.set(span.traceId + span.spanId, span);
        if (batch.size >= BATCH_SPANS) {
          yield [...batch.values()];
          batch = new Map();
        }
      }
      if (batch.size > 0) yield [...batch.values()];
      to = from;
    }
  }

  return { trace, spans, tracesById };
}

function conditionSql(condition: SpanCondition): string {
  switch (condition.kind) {
    case 'name':
      return `name = ${quote(condition.equals)}`;
    case 'service':
      return `service = ${quote(condition.equals)}`;
    case 'status':
      return `status = ${SPAN_STATUSES.findIndex((status) => status === condition.equals)}`;
    case 'span_kind':
      return `kind = ${SPAN_KINDS.findIndex((kind) => kind === condition.equals)}`;
    case 'duration': {
      const parts: string[] = ['true'];
      if (condition.minNs !== undefined) parts.push(`duration >= ${condition.minNs}`);
      if (condition.maxNs !== undefined) parts.push(`duration <= ${condition.maxNs}`);
      return parts.join(' AND ');
    }
    case 'attribute': {
      // Attributes are JSON made by JSON.stringify, so a scalar occurs in it as exactly this text. It may also occur
      // deeper in the value of another attribute: storage may return too much.
      const needle = quote(`${JSON.stringify(condition.name)}:${JSON.stringify(condition.equals)}`);
      // A list matches where one of its elements does, so any list of that name stays in.
      const list = quote(`${JSON.stringify(condition.name)}:[`);
      const within = (column: string) => `(contains(${column}, ${needle}) OR contains(${column}, ${list}))`;
      if (condition.scope === 'span') return within('attributes');
      if (condition.scope === 'resource') return within('resource');
      return `(${within('attributes')} OR ${within('resource')})`;
    }
  }
}

function decodeSpans(chunk: Rows): Span[] {
  const [traceHi, traceLo, spanIds, parents] = [0, 1, 2, 3].map((column) => uint64s(chunk, column));
  const [starts, durations] = [int64s(chunk, 4), int64s(chunk, 5)];
  const [kinds, statuses] = [uints(chunk, 6), uints(chunk, 7)];
  const out: Span[] = [];
  let resourceJson = '';
  let resource: Attributes = {};
  for (let row = 0; row < chunk.count; row++) {
    const json = text(chunk, 11, row);
    if (json !== resourceJson) {
      resourceJson = json;
      resource = JSON.parse(json) as Attributes;
    }
    const rest = JSON.parse(text(chunk, 12, row)) as SpanRest;
    out.push({
      traceId: hex(traceHi[row]) + hex(traceLo[row]),
      spanId: hex(spanIds[row]),
      parentSpanId: parents[row] === 0n ? '' : hex(parents[row]),
      traceState: rest.state ?? '',
      name: text(chunk, 8, row),
      kind: SPAN_KINDS[kinds[row]],
      startNs: starts[row],
      durationNs: durations[row],
      status: SPAN_STATUSES[statuses[row]],
      statusMessage: rest.message ?? '',
      serviceName: text(chunk, 9, row),
      resource,
      scopeName: rest.scope?.[0] ?? '',
      scopeVersion: rest.scope?.[1] ?? '',
      attributes: JSON.parse(text(chunk, 10, row)) as Attributes,
      events: (rest.events ?? []).map((event) => ({ timeNs: BigInt(event.t), name: event.n, attributes: event.a })),
      links: (rest.links ?? []).map((link) => ({ traceId: link.t, spanId: link.s, attributes: link.a })),
    });
  }
  return out;
}

function hex(id: bigint): string {
  return id.toString(16).padStart(16, '0');
}
