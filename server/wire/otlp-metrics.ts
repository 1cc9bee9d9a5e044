import { Cursor } from './cursor.ts';
import { decodeResource, decodeScope, MAX_OTLP_ELEMENTS, NO_ATTRIBUTES, NO_SCOPE } from './otlp-common.ts';
import {
  decodeExponentialPoint,
  decodeHistogramPoint,
  decodeNumberPoint,
  decodeSummaryPoint,
} from './otlp-metric-points.ts';
import {
  OTLP_TEMPORALITIES,
  type OtlpMetric,
  type OtlpMetricData,
  type OtlpMetrics,
  type OtlpResourceMetrics,
  type OtlpScopeMetrics,
  type OtlpTemporality,
} from './otlp-metrics-shape.ts';

/**
 * Decodes an `ExportMetricsServiceRequest` in protobuf.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpMetrics(bytes: Uint8Array): OtlpMetrics {
  const cursor = new Cursor(bytes, 'ExportMetricsServiceRequest', MAX_OTLP_ELEMENTS);
  const resources: OtlpResourceMetrics[] = [];
  // message ExportMetricsServiceRequest {
  //   repeated ResourceMetrics resource_metrics = 1;
  // }
  while (cursor.next()) {
    if (cursor.field === 1) resources.push(decodeResourceMetrics(cursor, resources.length));
    else cursor.skip();
  }
  return { resources };
}

// message ResourceMetrics {
//   Resource resource = 1;
//   repeated ScopeMetrics scope_metrics = 2;
//   string schema_url = 3;
// }
function decodeResourceMetrics(cursor: Cursor, index: number): OtlpResourceMetrics {
  const outer = cursor.enter('resource_metrics', index);
  let attributes = NO_ATTRIBUTES;
  const scopes: OtlpScopeMetrics[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        attributes = decodeResource(cursor);
        break;
      case 2:
        scopes.push(decodeScopeMetrics(cursor, scopes.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { attributes, scopes };
}

// message ScopeMetrics {
//   InstrumentationScope scope = 1;
//   repeated Metric metrics = 2;
//   string schema_url = 3;
// }
function decodeScopeMetrics(cursor: Cursor, index: number): OtlpScopeMetrics {
  const outer = cursor.enter('scope_metrics', index);
  let scope = NO_SCOPE;
  const metrics: OtlpMetric[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        scope = decodeScope(cursor);
        break;
      case 2:
        metrics.push(decodeMetric(cursor, metrics.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { scope, metrics };
}

// message Metric {
//   string name = 1;
//   string description = 2;
//   string unit = 3;
//   oneof data {
//     Gauge gauge = 5;
//     Sum sum = 7;
//     Histogram histogram = 9;
//     ExponentialHistogram exponential_histogram = 10;
//     Summary summary = 11;
//   }
//   repeated KeyValue metadata = 12;
// }
function decodeMetric(cursor: Cursor, index: number): OtlpMetric {
  const outer = cursor.enter('metrics', index);
  let name = '';
  let description = '';
  let unit = '';
  let data: OtlpMetricData = { kind: 'empty' };
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        name = cursor.string('name');
        break;
      case 2:
        description = cursor.string('description');
        break;
      case 3:
        unit = cursor.string('unit');
        break;
      case 5: {
        const { points } = decodeData(cursor, 'gauge', decodeNumberPoint);
        data = { kind: 'gauge', points };
        break;
      }
      case 7: {
        const { points, temporality, monotonic } = decodeData(cursor, 'sum', decodeNumberPoint);
        data = { kind: 'sum', points, temporality, monotonic };
        break;
      }
      case 9: {
        const { points, temporality } = decodeData(cursor, 'histogram', decodeHistogramPoint);
        data = { kind: 'histogram', points, temporality };
        break;
      }
      case 10: {
        const { points, temporality } = decodeData(cursor, 'exponential_histogram', decodeExponentialPoint);
        data = { kind: 'exponential_histogram', points, temporality };
        break;
      }
      case 11: {
        const { points } = decodeData(cursor, 'summary', decodeSummaryPoint);
        data = { kind: 'summary', points };
        break;
      }
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { name, description, unit, ...data };
}

interface DecodedData<P> {
  readonly points: P[];
  readonly temporality: OtlpTemporality;
  readonly monotonic: boolean;
}

// message Gauge   { repeated NumberDataPoint data_points = 1; }
// message Summary { repeated SummaryDataPoint data_points = 1; }
// message Sum {
//   repeated NumberDataPoint data_points = 1;
//   AggregationTemporality aggregation_temporality = 2;
//   bool is_monotonic = 3;
// }
// message Histogram and ExponentialHistogram {
//   repeated …DataPoint data_points = 1;
//   AggregationTemporality aggregation_temporality = 2;
// }
function decodeData<P>(cursor: Cursor, name: string, decodePoint: (cursor: Cursor) => P): DecodedData<P> {
  const outer = cursor.enter(name);
  const points: P[] = [];
  let temporality: OtlpTemporality = 'unspecified';
  let monotonic = false;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1: {
        const point = cursor.enter('data_points', points.length);
        points.push(decodePoint(cursor));
        cursor.leave(point);
        break;
      }
      case 2:
        temporality = OTLP_TEMPORALITIES[cursor.uint32('aggregation_temporality')] ?? 'unspecified';
        break;
      case 3:
        monotonic = cursor.bool('is_monotonic');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { points, temporality, monotonic };
}
