import type { Attributes } from '../model/index.ts';
import type { OtlpScope } from './otlp-common.ts';

/** OTLP's aggregation temporalities in the order of their numbers. */
export type OtlpTemporality = 'unspecified' | 'delta' | 'cumulative';
export const OTLP_TEMPORALITIES: readonly OtlpTemporality[] = ['unspecified', 'delta', 'cumulative'];

/** Metrics of an OTLP request, decoded from protobuf or JSON. */
export interface OtlpMetrics {
  readonly resources: readonly OtlpResourceMetrics[];
}

export interface OtlpResourceMetrics {
  readonly attributes: Attributes;
  readonly scopes: readonly OtlpScopeMetrics[];
}

export interface OtlpScopeMetrics {
  readonly scope: OtlpScope;
  readonly metrics: readonly OtlpMetric[];
}

/** One metric. `empty` is one whose data isn't set, or is of a kind that a later protocol knows. */
export type OtlpMetric = OtlpMetricNames & OtlpMetricData;

export interface OtlpMetricNames {
  readonly name: string;
  readonly description: string;
  /** UCUM, such as `s` or `By/s`. */
  readonly unit: string;
}

export type OtlpMetricData =
  | { readonly kind: 'gauge'; readonly points: readonly OtlpNumberPoint[] }
  | {
      readonly kind: 'sum';
      readonly points: readonly OtlpNumberPoint[];
      readonly temporality: OtlpTemporality;
      readonly monotonic: boolean;
    }
  | {
      readonly kind: 'histogram';
      readonly points: readonly OtlpHistogramPoint[];
      readonly temporality: OtlpTemporality;
    }
  | {
      readonly kind: 'exponential_histogram';
      readonly points: readonly OtlpExponentialPoint[];
      readonly temporality: OtlpTemporality;
    }
  | { readonly kind: 'summary'; readonly points: readonly OtlpSummaryPoint[] }
  | { readonly kind: 'empty' };

/** What all data points have. */
export interface OtlpPoint {
  readonly attributes: Attributes;
  /** Milliseconds since the epoch, rounded down; 0 where unknown. */
  readonly startMs: number;
  /** Milliseconds since the epoch, rounded down; 0 where it wasn't set. */
  readonly timeMs: number;
  /** The series ended: the values mean nothing. */
  readonly noRecordedValue: boolean;
}

export interface OtlpNumberPoint extends OtlpPoint {
  /** Integers beyond 2^53 are the nearest number; `undefined` where no value was set. */
  readonly value: number | undefined;
  readonly exemplars: readonly OtlpExemplar[];
}

export interface OtlpHistogramPoint extends OtlpPoint {
  readonly count: number;
  readonly sum: number | undefined;
  /** One more than there are bounds, or none. Not cumulative. */
  readonly bucketCounts: readonly number[];
  readonly explicitBounds: readonly number[];
  readonly exemplars: readonly OtlpExemplar[];
}

export interface OtlpExponentialPoint extends OtlpPoint {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: OtlpBuckets;
  readonly negative: OtlpBuckets;
  readonly exemplars: readonly OtlpExemplar[];
}

/** `counts[i]` is the count of bucket `offset + i`. */
export interface OtlpBuckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface OtlpSummaryPoint extends OtlpPoint {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
}

export interface OtlpExemplar {
  readonly timeMs: number;
  readonly value: number | undefined;
  /** 32 lower-case hex digits, or '' where there is none. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or '' where there is none. */
  readonly spanId: string;
  readonly attributes: Attributes;
}
