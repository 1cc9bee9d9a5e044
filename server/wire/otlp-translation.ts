import type { MetricPointsBuilder, PointLabels } from './metric-points.ts';
import { buildPointLabels, type ResourceLabels } from './otlp-labels.ts';
import type { OtlpPoint } from './otlp-metrics-shape.ts';
import type { LabelNamer } from './otlp-names.ts';

/** What the translation of one resource needs; handed to the functions for each kind of metric. */
export interface Translation {
  readonly out: MetricPointsBuilder;
  readonly resource: ResourceLabels;
  readonly namer: LabelNamer;
}

/** The labels of a point, or `undefined` after it was rejected because a key leaves no valid name. */
export function labelsOf(
  translation: Translation,
  name: string,
  point: OtlpPoint,
  without?: string,
): PointLabels | undefined {
  const labels = buildPointLabels(point.attributes, translation.resource, translation.namer, without);
  if (labels !== undefined) return translation.out.point(labels);
  translation.out.reject(1, `metric ${quote(name)}: an attribute whose name leaves nothing valid in Prometheus`);
  return undefined;
}

/** A metric's name for messages. What doesn't look like a name may be anything, content too, and isn't repeated. */
export function quote(name: string): string {
  return /^[\w.:/-]{1,120}$/.test(name) ? `"${name}"` : `of ${name.length} characters`;
}
