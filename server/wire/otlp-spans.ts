import {
  type Attributes,
  SPAN_KINDS,
  SPAN_STATUSES,
  type Span,
  type SpanEvent,
  type SpanLink,
} from '../model/index.ts';
import { attributeTextOf } from './attributes.ts';
import { type OtlpScope, validId } from './otlp-common.ts';

/** Spans of a request, and what could not be taken. */
export interface DecodedSpans {
  readonly spans: Span[];
  /** Spans that broke OTLP's rules; the others are in `spans`. */
  readonly rejected: number;
  /** Why, or a warning where nothing was rejected; '' where there is nothing to say. */
  readonly rejectedMessage: string;
}

/** A span as it was sent, before its IDs and times were looked at. */
export interface RawSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: number;
  startNs: bigint;
  endNs: bigint;
  statusCode: number;
  statusMessage: string;
  attributes: Attributes;
  events: SpanEvent[];
  links: SpanLink[];
}

const INT64_MAX = 2n ** 63n - 1n;
const NO_PARENT = '0000000000000000';

/** Judges spans one by one; lives for one request. */
export class SpanCollector {
  readonly #spans: Span[] = [];
  readonly #reasons = new Map<string, number>();
  #rejected = 0;

  /** Adds a span of a resource and scope, or counts why it can't be. `resource` is shared between its spans. */
  add(raw: RawSpan, resource: Attributes, scope: OtlpScope): void {
    const problem = spanProblem(raw);
    if (problem !== undefined) {
      this.#rejected++;
      this.#count(problem);
      return;
    }
    let durationNs = raw.endNs - raw.startNs;
    if (durationNs < 0n) {
      durationNs = 0n;
      this.#count('a span that ends before it starts (kept with duration 0)');
    }
    const links = raw.links.filter((link) => validId(link.traceId, 32) !== '' && validId(link.spanId, 16) !== '');
    if (links.length < raw.links.length) this.#count('a link without a trace ID and span ID (left out)');
    this.#spans.push({
      traceId: raw.traceId,
      spanId: raw.spanId,
      parentSpanId: raw.parentSpanId === NO_PARENT ? '' : raw.parentSpanId,
      traceState: raw.traceState,
      name: raw.name,
      // Kinds and statuses that a later protocol adds are unspecified ones to us.
      kind: SPAN_KINDS[raw.kind] ?? 'unspecified',
      startNs: raw.startNs,
      durationNs,
      status: SPAN_STATUSES[raw.statusCode] ?? 'unset',
      statusMessage: raw.statusMessage,
      serviceName: attributeTextOf(resource, 'service.name') ?? '',
      resource,
      scopeName: scope.name,
      scopeVersion: scope.version,
      attributes: raw.attributes,
      events: raw.events,
      links,
    });
  }

  finish(): DecodedSpans {
    const rejectedMessage = [...this.#reasons].map(([reason, count]) => `${count} × ${reason}`).join('; ');
    return { spans: this.#spans, rejected: this.#rejected, rejectedMessage };
  }

  #count(reason: string): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }
}

function spanProblem(raw: RawSpan): string | undefined {
  if (validId(raw.traceId, 32) === '') return 'a trace ID that is not 16 bytes, or zero';
  if (validId(raw.spanId, 16) === '') return 'a span ID that is not 8 bytes, or zero';
  if (raw.parentSpanId !== '' && raw.parentSpanId.length !== 16) return 'a parent span ID that is not 8 bytes';
  if (raw.startNs === 0n) return 'a span without a start time';
  if (raw.startNs > INT64_MAX || raw.endNs > INT64_MAX) return 'a time after the year 2262';
  return undefined;
}
