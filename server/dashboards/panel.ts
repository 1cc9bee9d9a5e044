import type { AllowedLabel } from './outcomes.ts';

/** How a panel is drawn: lines over time, a distribution over time, states of things over time, marks on a lane. */
export type PanelKind = 'lines' | 'heatmap' | 'states' | 'events';

/** The unit of a panel's values, as they come from the query; screens scale them (seconds to ms, bytes to GiB). */
export type PanelUnit = 'seconds' | 'ratio' | 'tokens' | 'tokens_per_second' | 'bytes' | 'celsius' | 'count';

export type QueryLanguage = 'promql' | 'logql';

/**
 * What a line means, where that decides its colour; a screen maps tones to its own palette. Without a tone the colour
 * follows from the value of `colorBy`.
 */
export type Tone =
  | 'quantile-low'
  | 'quantile-mid'
  | 'quantile-high'
  | 'input'
  | 'output'
  | 'gpu'
  | 'cpu'
  | 'memory'
  | 'cache'
  | 'error'
  | 'warning'
  | 'muted';

/** One query of a panel. */
export interface PanelQuery {
  readonly language: QueryLanguage;
  /**
   * The query with placeholders: `$filters` inside a selector's braces; `$serving` after an expression over GPUs;
   * `$__rate_interval`, `$__quantile_interval` and `$__interval` inside brackets. `expandQuery` fills them.
   */
  readonly expr: string;
  /** The allowed labels that the query's metrics carry, where they aren't those of the panel. */
  readonly labels?: readonly AllowedLabel[];
  /** The name of each series; `{{label}}` takes the label's value. */
  readonly legend: string;
  /** The axis, `left` unless told. A second axis is for a second order of magnitude of the same unit. */
  readonly scale?: 'left' | 'right';
  readonly tone?: Tone;
  /** The label whose value gives a series its colour, the same in every panel. */
  readonly colorBy?: string;
  /** Values of `colorBy` that have an order: the legend follows it, and colours run from light to strong. */
  readonly order?: readonly string[];
  /**
   * The largest value that the query can give, where it has one: a quantile of classic buckets ends at their last finite
   * bound, so that a value equal to it means "at least that".
   */
  readonly ceiling?: number;
  /** Drawn dashed and without a fill: a limit or a side measure. */
  readonly dashed?: boolean;
}

/** A level that a reader compares with. */
export interface PanelThreshold {
  /** In the panel's unit. */
  readonly value: number;
  readonly label: string;
}

/** What a click on a point of the panel looks for first. */
export interface PanelLink {
  readonly title: string;
  readonly kind: 'logs' | 'traces';
  /** LogQL with `$filters`, or TraceQL, to which a screen adds the conditions of the chosen labels. */
  readonly expr: string;
}

/** Where a panel's data comes from. */
export interface PanelSource {
  /** Names of metrics of which any is enough, or what else is read. */
  readonly needs: readonly string[];
  /** Who sends them, and by which protocol. */
  readonly sender: string;
}

/** One panel. */
export interface Panel {
  /** Stable; lower-case words joined by `-`. */
  readonly id: string;
  readonly title: string;
  /** One sentence: what it tells. */
  readonly description: string;
  readonly kind: PanelKind;
  readonly unit: PanelUnit;
  readonly queries: readonly PanelQuery[];
  /** The y axis, `linear` unless told. */
  readonly axis?: 'linear' | 'log';
  /** Inclusive bounds of the y axis in the panel's unit where nature gives them, such as 0 and 1 of a ratio. */
  readonly min?: number;
  readonly max?: number;
  readonly thresholds?: readonly PanelThreshold[];
  /** The allowed labels that the panel's metrics carry. A filter by another one leaves it as it is, and it says so. */
  readonly labels: readonly AllowedLabel[];
  readonly links: readonly PanelLink[];
  /** What has to be sent, and by whom, before the panel shows anything. */
  readonly source: PanelSource;
  /** For `states`: the label whose values are the rows. */
  readonly rowBy?: string;
}

/** A row of panels that answer one question. */
export interface PaneRow {
  readonly id: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The whole pane. */
export interface Pane {
  readonly title: string;
  /** How often senders report, in seconds; windows of rates follow from it. */
  readonly sampleIntervalSeconds: number;
  /** The labels that a viewer may filter by. */
  readonly filterLabels: readonly AllowedLabel[];
  /** From what users feel down to what causes it. */
  readonly rows: readonly PaneRow[];
  /** Marks that stand on one lane along the time axis of every panel. */
  readonly lane: Panel;
}

/** Chosen values by label; a label without values isn't filtered by. */
export type Filters = Readonly<Partial<Record<string, readonly string[]>>>;
