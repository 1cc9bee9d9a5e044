import type { Attributes } from './attributes.ts';

/** OTLP's span kinds by number: 0 unspecified … 5 consumer. */
export type SpanKind = 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** The kinds in the order of their OTLP numbers. */
export const SPAN_KINDS: readonly SpanKind[] = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

/** OTLP's status codes in the order of their numbers. */
export type SpanStatus = 'unset' | 'ok' | 'error';
export const SPAN_STATUSES: readonly SpanStatus[] = ['unset', 'ok', 'error'];

/** An event inside a span. */
export interface SpanEvent {
  readonly timeNs: bigint;
  readonly name: string;
  readonly attributes: Attributes;
}

/** A reference from a span to another span, possibly of another trace. */
export interface SpanLink {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly attributes: Attributes;
}

/** One span, as stored and as queries see it. */
export interface Span {
  /** 32 lower-case hex digits. */
  traceId: string;
  /** 16 lower-case hex digits. */
  spanId: string;
  /** 16 lower-case hex digits, or `''` for a root. */
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: SpanKind;
  /** Nanoseconds since the epoch. */
  startNs: bigint;
  /** Nanoseconds, ≥ 0. */
  durationNs: bigint;
  status: SpanStatus;
  statusMessage: string;
  /** `service.name` of the resource, or `''`. */
  serviceName: string;
  resource: Attributes;
  scopeName: string;
  scopeVersion: string;
  attributes: Attributes;
  events: SpanEvent[];
  links: SpanLink[];
}
