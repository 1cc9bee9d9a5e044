// The TypeScript types that stand in the generated files, as source text. A workspace gets those that its constants use.

/** Source text of each type, and which others it needs. */
export const TYPE_SOURCES: Readonly<Record<string, { readonly needs: readonly string[]; readonly source: string }>> = {
  LabelSpec: {
    needs: [],
    source: `/** How the values of a label are bounded and judged. */
export interface LabelSpec {
  readonly help: string;
  /** Distinct values before new ones become \`other\`; for a closed set its size; absent where only policy sets one. */
  readonly budget?: number;
  /** The only values accepted, others become \`other\`; absent where the set isn't closed. */
  readonly values?: readonly string[];
  /** Whether values are identifiers by nature (a pod, an address, a UUID), so that how they look says nothing. */
  readonly opaque: boolean;
}`,
  },
  NeverLabel: {
    needs: [],
    source: `/** A family of label names that are removed whatever the source. */
export interface NeverLabel {
  /** The name under which removals are counted. */
  readonly rule: string;
  readonly why: string;
  /** RE2 syntax, to be matched without regard to case against the whole name. */
  readonly pattern: string;
}`,
  },
  LabelAlias: {
    needs: [],
    source: `/** Other people's names for a label of the taxonomy. */
export interface LabelAlias {
  readonly target: string;
  /** In order of preference; the first that is present and not empty gives the value, and all are consumed. */
  readonly originals: readonly string[];
  /** Those of the originals that stay beside the target, being labels of the taxonomy themselves. */
  readonly kept: readonly string[];
}`,
  },
  OtelMetric: {
    needs: [],
    source: `/** An OpenTelemetry metric that says the same as one of the contract's. */
export interface OtelMetric {
  readonly name: string;
  /** UCUM; absent where it is the contract's own. */
  readonly unit?: string;
  /** What its values are multiplied by; absent where the units are the same. */
  readonly factor?: number;
  /** Labels that follow from which metric it was. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Only series whose attribute has one of these values say the same; absent where all do. */
  readonly only?: Readonly<Record<string, readonly string[]>>;
}`,
  },
  MetricType: { needs: [], source: `export type MetricType = 'counter' | 'gauge' | 'histogram';` },
  GaugeAggregation: {
    needs: [],
    source: `/** How the series of a gauge are joined when a label is removed. */
export type GaugeAggregation = 'sum' | 'max' | 'avg' | 'last';`,
  },
  MetricSpec: {
    needs: ['MetricType', 'GaugeAggregation', 'OtelMetric'],
    source: `/** A metric of the contract. */
export interface MetricSpec {
  readonly name: string;
  readonly type: MetricType;
  /** UCUM, as OpenTelemetry instruments state it. */
  readonly unit: string;
  readonly help: string;
  /** The labels that it brings beyond the allowed ones; adapter and environment may stand on every metric. */
  readonly labels: readonly string[];
  /** The values that a label takes here, where the label itself has no closed set. */
  readonly labelValues?: Readonly<Record<string, readonly string[]>>;
  readonly otel: readonly OtelMetric[];
  /** Gauges only. */
  readonly aggregation?: GaugeAggregation;
  /** Histograms only: upper bounds of the classic buckets, without +Inf, rising. */
  readonly buckets?: readonly number[];
  /** Histograms only: whether classic buckets stand beside the native histogram by default. */
  readonly classic?: boolean;
  /** Whether it is written on the fleet level too. */
  readonly fleet: boolean;
  /** Whether it is a signal of a model's own quality, which never pages. */
  readonly informational: boolean;
}`,
  },
  MetricSummary: {
    needs: ['MetricType'],
    source: `/** What a panel needs to know of a metric. */
export interface MetricSummary {
  readonly name: string;
  readonly type: MetricType;
  /** UCUM. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly informational: boolean;
}`,
  },
  TokenBucket: {
    needs: ['TokenBucketValue'],
    source: `/** A size class of prompts. */
export interface TokenBucket {
  /** The value of the label token_bucket. */
  readonly value: TokenBucketValue;
  /** The same in plain ASCII. */
  readonly code: string;
  /** The most prompt tokens that belong to it. */
  readonly upper: number;
}`,
  },
  AttributeSpec: {
    needs: [],
    source: `/** A span attribute without content. */
export interface AttributeSpec {
  readonly type: 'string' | 'int' | 'double' | 'boolean' | 'string[]';
  /** Older names for the same fact, which are accepted and renamed. */
  readonly was: readonly string[];
}`,
  },
  ContentAttribute: {
    needs: [],
    source: `/** Attributes that carry content and are refused in every signal. */
export interface ContentAttribute {
  readonly match: 'exact' | 'prefix' | 'pattern';
  /** The name, its beginning, or a pattern in RE2 syntax against the whole name. */
  readonly name: string;
  /** Who writes it. */
  readonly source: string;
  readonly why: string;
}`,
  },
  ContentEvent: {
    needs: [],
    source: `/** An event whose body and attributes are content as a whole. */
export interface ContentEvent {
  readonly name: string;
  readonly why: string;
}`,
  },
  SpanStage: {
    needs: ['SpanStageName'],
    source: `/** A step of a request's semantic path. */
export interface SpanStage {
  readonly name: SpanStageName;
  readonly parent: SpanStageName | null;
  /** The OpenTelemetry span kind. */
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Other span names for it, compared without regard to case; a trailing \`*\` takes any rest. */
  readonly names: readonly string[];
  /** Values of gen_ai.operation.name that say the same step. */
  readonly operations: readonly string[];
  /** The attribute that gives its length in seconds where an engine makes no span of its own. */
  readonly durationAttribute?: string;
  readonly help: string;
}`,
  },
  LogField: {
    needs: [],
    source: `/** A field of the events that services write. */
export interface LogField {
  readonly type: 'string' | 'int';
  readonly help: string;
}`,
  },
  LogClassRule: {
    needs: ['LogClass', 'LogStage', 'LogSeverity', 'LogRole'],
    source: `/** A rule that classifies a line of a GPU or an engine. */
export interface LogClassRule {
  /** Unique: the class, a slash, and where such a line comes from. */
  readonly id: string;
  readonly class: LogClass;
  readonly severity: LogSeverity;
  readonly stage: LogStage;
  readonly role: LogRole;
  /** Who writes such lines, for people. */
  readonly source: string;
  /** A line that contains none of these can't match. */
  readonly needles: readonly string[];
  /** RE2 syntax, found anywhere in the line. */
  readonly regex: string;
  /** The rule matches only if this group, read as a number, holds against the value. */
  readonly numeric?: { readonly group: number; readonly operator: '>=' | '<='; readonly value: number };
  /** The stage once lines of this rule come more often than that on one host or job. */
  readonly escalate?: { readonly stage: LogStage; readonly perMinute: number };
  /** A line that the rule matches. */
  readonly example: string;
}`,
  },
  LogClassSummary: {
    needs: ['LogStage', 'LogSeverity', 'LogRole'],
    source: `/** What a log view needs to know of a class. */
export interface LogClassSummary {
  readonly severity: LogSeverity;
  readonly stage: LogStage;
  readonly role: LogRole;
}`,
  },
  LogSeverity: { needs: [], source: `export type LogSeverity = 'notice' | 'warning' | 'error' | 'critical';` },
  LogStage: {
    needs: [],
    source: `/** How far a failure has come. */
export type LogStage = 'early-warning' | 'imminent' | 'fatal';`,
  },
  LogRole: {
    needs: [],
    source: `/** A consequence never pages alone. */
export type LogRole = 'cause' | 'consequence';`,
  },
  EngineMetric: {
    needs: [],
    source: `/** How a metric of a model server becomes one of the contract's. */
export interface EngineMetric {
  /** The name as the server exposes it. */
  readonly source: string;
  /** Older names of the same measure; of all of them the first that is there is read. */
  readonly was: readonly string[];
  readonly target: string;
  /** Set on every series of the target. */
  readonly labels: Readonly<Record<string, string>>;
  /**
   * Labels of the source whose values are translated; the source's label is dropped, unlisted values become
   * \`otherwise\`. Of a dotted value only the last part counts.
   */
  readonly valueLabels: readonly {
    readonly source: string;
    readonly target: string;
    readonly values: Readonly<Record<string, string>>;
    readonly otherwise: string;
  }[];
  /** A series is read only where these labels of the source have one of the values; '' stands for an absent label. */
  readonly only: Readonly<Record<string, readonly string[]>>;
  /** What of a histogram is read as a counter. */
  readonly part?: 'sum' | 'count';
  /** Not read where this metric is there. */
  readonly unless?: string;
  /** Read only for those values of the label that the other metric has too. */
  readonly knownBy?: { readonly metric: string; readonly label: string };
  /** The target is the source's increase divided by the increase of this metric. */
  readonly ratioOf?: string;
  /** Whether it is taken off the target's series with the same labels. */
  readonly subtract: boolean;
  /** What values, sums and bucket bounds are multiplied by. */
  readonly factor: number;
  /** What must be switched on for it. */
  readonly needs?: string;
  /** Where the measure is only near to the contract's. */
  readonly note?: string;
}`,
  },
  EngineSpec: {
    needs: ['EngineMetric'],
    source: `/** A model server, or a gateway before such servers, whose metrics are known. */
export interface EngineSpec {
  /** Its name for people. */
  readonly title: string;
  /** The versions that the table was read from. */
  readonly versions: string;
  /** A gateway stands before engines and counts the same requests again. */
  readonly layer: 'engine' | 'gateway';
  /** What the names of its metrics begin with; empty where it gives them bare names. */
  readonly prefixes: readonly string[];
  /** Names that are all there where there is no prefix to know it by. */
  readonly recognise: readonly string[];
  /** The usual TCP ports of its metrics. */
  readonly ports: readonly number[];
  /** The usual paths of its metrics, the likeliest first. */
  readonly paths: readonly string[];
  /** What the name of its container image holds, in lower case. */
  readonly images: readonly string[];
  /** How its metrics are switched on. */
  readonly setup: string;
  /** Where it tells the name of its only model: a path, and the way into the JSON answer. */
  readonly model?: { readonly path: string; readonly at: readonly string[] };
  /** Labels of the contract, each from the first label of the source that isn't empty. */
  readonly labelSources: Readonly<Record<string, readonly string[]>>;
  /** The source's label that holds the index within a data-parallel group. */
  readonly index?: string;
  /** Labels of ranks: series that differ by them alone measure the same, and the largest counts. */
  readonly copies: readonly string[];
  readonly metrics: readonly EngineMetric[];
  /** Names without a place in the contract, \`*\` for any rest, with the reason. */
  readonly ignored: readonly { readonly source: string; readonly why: string }[];
}`,
  },
  DcgmField: {
    needs: [],
    source: `/** How a field of dcgm-exporter becomes a metric of the contract. */
export interface DcgmField {
  /** The name as dcgm-exporter exposes it. */
  readonly field: string;
  /** The DCGM field's number. */
  readonly id: number;
  /** The name in DCGM 4.6.0, where it differs. */
  readonly renamed?: string;
  readonly csvType: 'gauge' | 'counter';
  /** Its state in dcgm-exporter's own counters file. */
  readonly defaultState: 'on' | 'off' | 'absent';
  readonly target: string;
  readonly labels: Readonly<Record<string, string>>;
  /**
   * \`scale\`: value times factor. \`integrate\`: a rate, times factor times the seconds since the last scrape, added up.
   * \`last_event\`: the number of the last error, whose change is one event. \`bitmask\`: reasons that hold now.
   */
  readonly conversion: 'scale' | 'integrate' | 'last_event' | 'bitmask';
  readonly factor: number;
  /** A sentence without a comma. */
  readonly help: string;
}`,
  },
  ThrottleReason: {
    needs: [],
    source: `/** A bit of the mask of clock event reasons. */
export interface ThrottleReason {
  readonly bit: number;
  /** The value of the label reason. */
  readonly reason: string;
  readonly group: 'idle' | 'setting' | 'power' | 'thermal' | 'hardware';
  /** Whether it is no throttling at all. */
  readonly benign: boolean;
  /** The field of nvidia-smi after \`clocks_event_reasons.\`. */
  readonly nvidiaSmi: string;
  /** The value of the label clock_event of DCGM_EXP_CLOCK_EVENTS_COUNT. */
  readonly clockEvent: string;
  /** The DCGM counter that measures the same time exactly; where it is read, the bit isn't counted. */
  readonly counter?: string;
  readonly help: string;
}`,
  },
};
