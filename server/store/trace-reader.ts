import { type Attributes, BarographError, SPAN_KINDS, SPAN_STATUSES, type Span } from '../model/index.ts';
import type { ChunkSource, Rows } from './chunks.ts';
import type { SpanCondition, SpanPart, SpanRequest, TraceLimits, TraceReader, TracesRequest } from './reader.ts';
import { int64s, quote, text, uint64s, uints } from './rows.ts';
import type { SpanRest } from './write-buffer.ts';

const BASE_COLUMNS = 'trace_hi, trace_lo, span, parent, start, duration, kind, status, name, service';
const PART_COLUMNS: Readonly<Record<SpanPart, string>> = {
  attributes: 'attributes',
  resource: 'resource',
  details: 'rest',
};
const ALL_PARTS: readonly SpanPart[] = ['attributes', 'resource', 'details'];
/** Spans in one batch, at most. */
const BATCH_SPANS = 4096;
/** The first window of a search, in nanoseconds; each next one, further back, is twice as long. */
const FIRST_WINDOW_NS = 120_000_000_000n;
/** Resources whose decoded form is kept while a result is read; a fleet has some hundreds. */
const MAX_RESOURCES = 1000;

/** The trace reader over DuckDB's table of spans. */
export function createTraceReader(source: ChunkSource): TraceReader {
  async function trace(traceId: string, limits: TraceLimits): Promise<Span[]> {
    for await (const spans of traces({ traceIds: [traceId], limits })) return spans;
    return [];
  }

  async function* traces(request: TracesRequest, signal?: AbortSignal): AsyncGenerator<Span[]> {
    const { traceIds, limits, parts = ALL_PARTS } = request;
    if (traceIds.length === 0) return;
    const wanted = new Set(traceIds);
    const halves = (from: number, to: number) =>
      [...new Set(traceIds.map((id) => BigInt(`0x${id.slice(from, to)}`)))].join(',');
    // One list a column is a filter that DuckDB checks while it scans; a list of pairs would be a join. It may let through
    // a half of one ID with a half of another, which the set sorts out.
    const where = `trace_lo IN (${halves(16, 32)}) AND trace_hi IN (${halves(0, 16)})`;
    // Sorted there, so that here only one trace at a time takes memory.
    const query = `SELECT ${columnsOf(parts)} FROM spans WHERE ${where} ORDER BY trace_hi, trace_lo, start`;
    const decode = spanDecoder(parts);
    let traceId = '';
    let spans = new Map<string, Span>();
    let units = 0;
    for await (const chunk of source.read(query, undefined, signal)) {
      for (let row = 0; row < chunk.count; row++) {
        const span = decode(chunk, row);
        if (span.traceId !== traceId) {
          if (spans.size > 0) yield [...spans.values()];
          traceId = span.traceId;
          spans = new Map();
          units = 0;
        }
        if (!wanted.has(traceId)) continue;
        spans.set(span.spanId, span);
        units += textUnits(chunk, row, parts);
        checkTrace(traceId, spans.size, units, limits);
      }
    }
    if (spans.size > 0) yield [...spans.values()];
  }

  async function* spans(request: SpanRequest, signal?: AbortSignal): AsyncGenerator<Span[]> {
    const { conditions, parts = ALL_PARTS } = request;
    const tests = conditions.map(conditionSql);
    let length = FIRST_WINDOW_NS;
    for (let to = request.endNs; to > request.startNs; length *= 2n) {
      const from = to - length > request.startNs ? to - length : request.startNs;
      const where = [`start >= ${from}`, `start < ${to}`, ...tests].join(' AND ');
      // Copies of a span that a retried request left behind have the same start, so in this order they are neighbours.
      const order = 'start DESC, trace_hi, trace_lo, span';
      const query = `SELECT ${columnsOf(parts)} FROM spans WHERE ${where} ORDER BY ${order}`;
      const decode = spanDecoder(parts);
      let batch: Span[] = [];
      for await (const chunk of source.read(query, undefined, signal)) {
        for (let row = 0; row < chunk.count; row++) {
          const span = decode(chunk, row);
          const before = batch[batch.length - 1];
          if (before !== undefined && before.spanId === span.spanId && before.traceId === span.traceId) batch.pop();
          else if (batch.length >= BATCH_SPANS) {
            yield batch;
            batch = [];
          }
          batch.push(span);
        }
      }
      if (batch.length > 0) yield batch;
      to = from;
    }
  }

  return { trace, spans, traces };
}

function columnsOf(parts: readonly SpanPart[]): string {
  return [BASE_COLUMNS, ...parts.map((part) => PART_COLUMNS[part])].join(', ');
}

const FIRST_PART = BASE_COLUMNS.split(',').length;

function textUnits(chunk: Rows, row: number, parts: readonly SpanPart[]): number {
  let units = 0;
  for (let i = 0; i < parts.length; i++) {
    // The spans of a trace share a few decoded resources, so their text takes no room.
    if (parts[i] !== 'resource') units += text(chunk, FIRST_PART + i, row).length;
  }
  return units;
}

/** @throws BarographError `query_limit` where a trace is larger than may be loaded. */
function checkTrace(traceId: string, spans: number, units: number, limits: TraceLimits): void {
  const tooMany = spans > limits.spansPerTrace;
  if (!tooMany && units <= limits.textPerTrace) return;
  const limit = tooMany ? limits.spansPerTrace : limits.textPerTrace;
  throw new BarographError({
    code: 'query_limit',
    status: 422,
    where: `trace ${traceId}`,
    got: `more than ${limit} ${tooMany ? 'spans' : 'characters of attributes'}`,
    accepted: `at most ${limit} (${tooMany ? 'spansPerTrace' : 'textPerTrace'})`,
    fix: tooMany
      ? 'leave it out of the query, or ask for its spans by { trace:id = "…" && … } | rate() and other filters of single spans'
      : 'send spans with smaller attributes',
  });
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
    case 'trace': {
      const { equals: id } = condition;
      return `trace_lo = ${BigInt(`0x${id.slice(16)}`)} AND trace_hi = ${BigInt(`0x${id.slice(0, 16)}`)}`;
    }
    case 'root':
      return 'parent = 0';
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

/** Decodes rows of one result; spans that share a resource share its object. */
function spanDecoder(parts: readonly SpanPart[]): (chunk: Rows, row: number) => Span {
  const [attributesAt, resourceAt, detailsAt] = ALL_PARTS.map((part) => {
    const at = parts.indexOf(part);
    return at < 0 ? -1 : FIRST_PART + at;
  });
  const resources = new Map<string, Attributes>();
  const resourceOf = (json: string): Attributes => {
    let resource = resources.get(json);
    if (resource === undefined) {
      if (resources.size >= MAX_RESOURCES) resources.clear();
      resource = JSON.parse(json) as Attributes;
      resources.set(json, resource);
    }
    return resource;
  };
  let decoded: Rows | undefined;
  let ids: Buffer = Buffer.alloc(0);
  return (chunk, row) => {
    if (chunk !== decoded) {
      decoded = chunk;
      ids = idBytes(chunk);
    }
    const rest: SpanRest = detailsAt < 0 ? {} : (JSON.parse(text(chunk, detailsAt, row)) as SpanRest);
    const at = row * ID_BYTES;
    const parent = ids.toString('hex', at + 24, at + 32);
    return {
      traceId: ids.toString('hex', at, at + 16),
      spanId: ids.toString('hex', at + 16, at + 24),
      parentSpanId: parent === NO_PARENT ? '' : parent,
      traceState: rest.state ?? '',
      name: text(chunk, 8, row),
      kind: SPAN_KINDS[uints(chunk, 6)[row]],
      startNs: int64s(chunk, 4)[row],
      durationNs: int64s(chunk, 5)[row],
      status: SPAN_STATUSES[uints(chunk, 7)[row]],
      statusMessage: rest.message ?? '',
      serviceName: text(chunk, 9, row),
      resource: resourceAt < 0 ? {} : resourceOf(text(chunk, resourceAt, row)),
      scopeName: rest.scope?.[0] ?? '',
      scopeVersion: rest.scope?.[1] ?? '',
      attributes: attributesAt < 0 ? {} : (JSON.parse(text(chunk, attributesAt, row)) as Attributes),
      events: (rest.events ?? []).map((event) => ({ timeNs: BigInt(event.t), name: event.n, attributes: event.a })),
      links: (rest.links ?? []).map((link) => ({ traceId: link.t, spanId: link.s, attributes: link.a })),
    };
  };
}

/** Bytes of a row's IDs: 16 of the trace, 8 of the span, 8 of its parent. */
const ID_BYTES = 32;
const NO_PARENT = '0'.repeat(16);

/** The IDs of all rows in the order in which they are written as hex: making text of each number costs more. */
function idBytes(chunk: Rows): Buffer {
  const out = new Uint32Array(chunk.count * (ID_BYTES / 4));
  for (let column = 0; column < 4; column++) {
    const { buffer, byteOffset, length } = uint64s(chunk, column);
    const halves = new Uint32Array(buffer, byteOffset, 2 * length);
    for (let row = 0; row < chunk.count; row++) {
      out[8 * row + 2 * column] = halves[2 * row];
      out[8 * row + 2 * column + 1] = halves[2 * row + 1];
    }
  }
  // Columns have the machine's byte order, which is little-endian wherever DuckDB runs.
  return Buffer.from(out.buffer).swap64();
}
