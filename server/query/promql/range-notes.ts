import { type Labels, labelValue, METRIC_NAME } from '../../model/index.ts';
import type { Position } from './ast.ts';
import { type EvaluationContext, forMetric } from './context.ts';

const COUNTER_NAME = /(_total|_sum|_count|_bucket)$/;

/** Remarks that range functions make about their input, each once per metric. */
export class RangeNotes {
  private readonly context: EvaluationContext;
  private readonly position: Position;
  private readonly said = new Set<string>();

  /** @param position That of the range vector. */
  constructor(context: EvaluationContext, position: Position) {
    this.context = context;
    this.position = position;
  }

  mixedTypes(labels: Labels): void {
    this.warn(labels, (metric) => forMetric('encountered a mix of histograms and floats', metric));
  }

  mixedSchemas(labels: Labels): void {
    this.warn(labels, (metric) =>
      forMetric('vector contains a mix of histograms with exponential and custom buckets schemas', metric),
    );
  }

  notCounter(labels: Labels): void {
    this.warn(labels, (metric) => `this native histogram metric is not a counter: ${JSON.stringify(metric)}`);
  }

  notGauge(labels: Labels): void {
    this.warn(labels, (metric) => `this native histogram metric is not a gauge: ${JSON.stringify(metric)}`);
  }

  ignoredHistograms(labels: Labels): void {
    this.info(labels, (metric) =>
      forMetric('ignored histograms in a range containing both floats and histograms', metric),
    );
  }

  /** `rate` of something that isn't named like a counter is probably a mistake. */
  counterName(labels: Labels): void {
    const metric = labelValue(labels, METRIC_NAME);
    if (metric === '' || COUNTER_NAME.test(metric)) return;
    this.info(
      labels,
      () => `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${JSON.stringify(metric)}`,
    );
  }

  reconciled(operation: 'addition' | 'subtraction' | 'aggregation'): void {
    this.info([], () => `mismatched custom buckets were reconciled during ${operation}`);
  }

  collision(): void {
    this.warn([], () => 'conflicting counter resets during histogram aggregation');
  }

  private warn(labels: Labels, message: (metric: string) => string): void {
    const text = message(labelValue(labels, METRIC_NAME));
    if (this.isNew(text)) this.context.warn(text, this.position);
  }

  private info(labels: Labels, message: (metric: string) => string): void {
    const text = message(labelValue(labels, METRIC_NAME));
    if (this.isNew(text)) this.context.info(text, this.position);
  }

  private isNew(text: string): boolean {
    if (this.said.has(text)) return false;
    this.said.add(text);
    return true;
  }
}
