import type { Attributes } from '../model/index.ts';
import { attributeText } from './attributes.ts';
import type { MetricPointsBuilder, PointLabels } from './metric-points.ts';
import { buildPointLabels, type ResourceLabels } from './otlp-labels.ts';
import type { OtlpPoint } from './otlp-metrics-shape.ts';
import type { LabelNamer } from './otlp-names.ts';

/** What the translation of one resource needs; handed to the functions for each kind of metric. */
export interface Translation {
  readonly out: MetricPointsBuilder;
  readonly resource: ResourceLabels;
  readonly namer: LabelNamer;
  /** Labels of points by their attributes as they came: an SDK repeats them with every metric and every export. */
  readonly known: Map<string, PointLabels>;
}

/** The labels of a point, or `undefined` after it was rejected because a key leaves no valid name. */
export function labelsOf(
  translation: Translation,
  name: string,
  point: OtlpPoint,
  without?: string,
): PointLabels | undefined {
  const key = attributesKey(point.attributes, without);
  const known = translation.known.get(key);
  if (known !== undefined) return known;
  const labels = buildPointLabels(point.attributes, translation.resource, translation.namer, without);
  if (labels !== undefined) {
    const found = translation.out.point(labels);
    translation.known.set(key, found);
    return found;
  }
  translation.out.reject(1, `metric ${quote(name)}: an attribute whose name leaves nothing valid in Prometheus`);
  return undefined;
}

/** Equal only for attributes with equal names and texts in the same order. */
function attributesKey(attributes: Attributes, without = ''): string {
  let key = without;
  for (const name in attributes) {
    const value = attributes[name];
    const text = typeof value === 'string' ? value : attributeText(value);
    key += `;${name.length}:${name}${text.length}:${text}`;
  }
  return key;
}

/** A metric's name for messages. What doesn't look like a name may be anything, content too, and isn't repeated. */
export function quote(name: string): string {
  return /^[\w.:/-]{1,120}$/.test(name) ? `"${name}"` : `of ${name.length} characters`;
}
