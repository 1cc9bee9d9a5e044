import type { MetricType } from '../model/index.ts';
import type { RelabelConfig } from './relabel.ts';
import type { AggregationRule } from './rule.ts';

/** How a label of the taxonomy is treated; the classes are those of `conventions/labels.yaml`. */
export type LabelClass = 'allowed' | 'structural' | 'infrastructure';

/** A label of the taxonomy. */
export interface LabelPolicy {
  readonly class: LabelClass;
  /** Distinct values a metric, `undefined` for the default of the class. */
  readonly budget: number | undefined;
  /** On the contract's own metrics: the only values; another becomes `other`. */
  readonly values: readonly string[] | undefined;
  /** An identifier by nature (a pod, a GPU's UUID), which is judged by its name alone. */
  readonly opaque: boolean;
}

/** A name that no metric label or stream label may have, whatever its source. */
export interface NeverPolicy {
  readonly rule: string;
  /** RE2, matched without regard to case against the whole name. */
  readonly pattern: string;
}

/** Other names of a label, the preferred first. */
export interface AliasPolicy {
  /** The label of the taxonomy; `''` with a `metricPrefix` says that there the originals are no aliases at all. */
  readonly target: string;
  readonly originals: readonly { readonly name: string; readonly keep: boolean }[];
  /** Only for metrics whose name begins so; it goes before aliases for every metric. */
  readonly metricPrefix?: string;
}

/** What the policy knows of one metric. */
export interface MetricPolicy {
  readonly type: MetricType;
  /** Gauges: how series are joined. */
  readonly aggregation: AggregationRule | undefined;
  /** Values of labels on this metric that are narrower than the label's own. */
  readonly labelValues: Readonly<Record<string, readonly string[]>>;
  /** Whether it is written on the fleet level too. */
  readonly fleet: boolean;
  readonly help: string;
  readonly unit: string;
}

/**
 * Whether labels of a kind stay on a profile's metrics: all of them, none, or only those that the conventions list for
 * the metric (`listed`), which adds replicas up at ingestion.
 */
export type KeptLabels = 'keep' | 'drop' | 'listed';

/** What holds for metrics of some names; what is `undefined` is left to the profiles behind it. */
export interface ProfilePolicy {
  /** Names of metrics, with `*` for any characters and `?` for one; a histogram's parts go by its name as well. */
  readonly match: readonly string[];
  /** The contract's own metrics: closed sets of values hold for their labels. */
  readonly contract?: boolean;
  /** Labels that aren't in the taxonomy. */
  readonly otherLabels?: 'keep' | 'drop';
  /** Infrastructure labels. */
  readonly infrastructure?: KeptLabels;
  /** Labels that are kept here, or removed here, whatever their class; what is never allowed stays so. */
  readonly keep?: readonly string[];
  readonly drop?: readonly string[];
  /**
   * `all` aliases, or only the `qualified` ones, which have one meaning everywhere. Short words mean other things on
   * other metrics, and dashboards ask for them: a `pod` is no replica of a model, and a disk has a `model` too.
   */
  readonly aliases?: 'all' | 'qualified';
  /** Distinct values a metric, by label; before the label's own budget. */
  readonly budgets?: Readonly<Record<string, number>>;
  /** The same for labels outside the taxonomy. */
  readonly otherBudget?: number;
  /** How gauges are joined. */
  readonly gauges?: Exclude<AggregationRule, 'counter'>;
  /** Stored series a metric. */
  readonly seriesPerMetric?: number;
}

/** Attributes and fields that carry content. */
export interface ContentPolicy {
  readonly exact: readonly string[];
  readonly prefixes: readonly string[];
  /** RE2, against the whole name. */
  readonly patterns: readonly string[];
  /** Events whose body and attributes are content as a whole. */
  readonly events: readonly string[];
  /** Fields of log lines that carry content in JSON, logfmt and text, beside those above; in lower case, without separators. */
  readonly logFields: readonly string[];
  /** Attributes and log fields that are texts by nature (a machine's description, a log's message) and aren't judged as prose. */
  readonly descriptions: readonly string[];
  /** Pieces of the errors that log classes know; an error's text with one of them is kept in a log line. */
  readonly errorNeedles: readonly string[];
}

/** Sizes and numbers; every one is inclusive. */
export interface GovernLimits {
  /** Labels of a series that are left after removal, without the metric's name. */
  readonly labelsPerSeries: number;
  /** Metric names and label names, in UTF-8 bytes. */
  readonly nameBytes: number;
  /** Label values, in UTF-8 bytes. */
  readonly valueBytes: number;
  /** String attributes of spans, events, links and resources, and structured metadata, in UTF-8 bytes. */
  readonly attributeBytes: number;
  /** Attributes of one span, event, link or resource; metadata entries of one log line. */
  readonly attributesPerObject: number;
  readonly eventsPerSpan: number;
  readonly linksPerSpan: number;
  /** Log lines, in UTF-8 bytes; longer ones are cut. */
  readonly logLineBytes: number;
  /** Distinct values a metric for labels of the taxonomy without a budget of their own. */
  readonly taxonomyBudget: number;
  /** The same for infrastructure labels. */
  readonly infrastructureBudget: number;
  /** The same for labels that aren't in the taxonomy. */
  readonly otherBudget: number;
  /** Distinct label values counted for budgets, of all metrics together. */
  readonly budgetEntries: number;
  /** Distinct metric names. */
  readonly metricNames: number;
  /** Stored series of all metrics; past it new ones are refused, and 0 is no limit, as in the two that follow. */
  readonly series: number;
  /** Stored series a metric; the parts of a histogram count together. */
  readonly seriesPerMetric: number;
  /** Stored series that may be new in a minute. */
  readonly newSeriesPerMinute: number;
  /** Distinct log streams; past it a new one is joined with others, and its labels become metadata of its lines. */
  readonly streams: number;
}

/** Everything the governor goes by; plain data. */
export interface Policy {
  readonly labels: Readonly<Record<string, LabelPolicy>>;
  readonly never: readonly NeverPolicy[];
  readonly aliases: readonly AliasPolicy[];
  readonly metrics: Readonly<Record<string, MetricPolicy>>;
  /** What holds for which metrics; of each setting the first profile that matches and says something counts. */
  readonly profiles: readonly ProfilePolicy[];
  /** Prometheus's `metric_relabel_configs`, applied to every raw series of every protocol before it is judged. */
  readonly relabelConfigs: readonly RelabelConfig[];
  /** Labels of a `fleet:` series. */
  readonly fleetLabels: readonly string[];
  /**
   * A `fleet:` series has one sample an interval of so many milliseconds, however many targets are scraped at whatever
   * offsets; 0 for a sample a timestamp of its inputs.
   */
  readonly fleetResolutionMs: number;
  /** Labels that a log record's own attributes, or the structured metadata of a line, may give to its stream. */
  readonly streamLabels: readonly string[];
  /** Labels listed for a metric in the conventions, for profiles that keep only listed infrastructure. */
  readonly listedLabels: Readonly<Record<string, readonly string[]>>;
  /** How gauges of known engines are joined, by metric name; a profile's `gauges` goes before it. */
  readonly gaugeRules: Readonly<Record<string, AggregationRule>>;
  readonly content: ContentPolicy;
  /** Known attributes without content, by name; `was` lists older names that are renamed. */
  readonly attributes: Readonly<Record<string, { readonly was: readonly string[] }>>;
  /** `never` rules whose attributes are removed from spans and log metadata too, because the value is a person or a secret. */
  readonly personalRules: readonly string[];
  /** `never` rules whose attributes are removed from spans and log metadata where they hold text. */
  readonly textRules: readonly string[];
  /** `never` rules whose stream labels become structured metadata. */
  readonly requestRules: readonly string[];
  readonly limits: GovernLimits;
}

/** Default sizes; labels as in Mimir's limits but for the number, lines as in Loki's. */
export const DEFAULT_LIMITS: GovernLimits = {
  labelsPerSeries: 40,
  nameBytes: 1024,
  valueBytes: 2048,
  attributeBytes: 1024,
  attributesPerObject: 128,
  eventsPerSpan: 128,
  linksPerSpan: 128,
  logLineBytes: 256 * 1024,
  taxonomyBudget: 64,
  infrastructureBudget: 20_000,
  otherBudget: 1000,
  budgetEntries: 500_000,
  metricNames: 20_000,
  series: 2_000_000,
  seriesPerMetric: 500_000,
  newSeriesPerMinute: 0,
  streams: 100_000,
};
