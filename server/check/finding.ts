/** How bad a finding is. */
export type Level = 'error' | 'warning' | 'note';

/** What can be checked. */
export const CHECK_KINDS = ['metrics', 'otlp', 'rules', 'loki_rules', 'dashboard'] as const;
export type CheckKind = (typeof CHECK_KINDS)[number];

/** Something that the policy would do, or that would not work under it. */
export interface Finding {
  /** The policy's rule, such as `budget` or `request_id`, or what is wrong with a query, such as `label_removed`. */
  readonly rule: string;
  readonly level: Level;
  readonly message: string;
  /** From 1; `undefined` where the file has no lines to speak of. */
  readonly line: number | undefined;
}

/** How many series a metric comes to. */
export interface MetricProjection {
  readonly metric: string;
  /** Raw series in the file, and what is stored of them. */
  readonly offered: number;
  readonly stored: number;
  /** Stored series over all targets. */
  readonly projected: number;
}

/** What was found in one file. */
export interface FileReport {
  readonly file: string;
  readonly kind: CheckKind | undefined;
  /** Of files with telemetry. The most series first. */
  readonly metrics: readonly MetricProjection[];
  /** Series of the fleet level that are written beside these. */
  readonly fleetSeries: number;
  /** Of rules and dashboards: the expressions that were looked at, and those that only their variables make whole. */
  readonly expressions: number;
  readonly skipped: number;
  readonly findings: readonly Finding[];
}

/** The series of all metrics together. */
export function totals(metrics: readonly MetricProjection[]): Omit<MetricProjection, 'metric'> {
  const sum = { offered: 0, stored: 0, projected: 0 };
  for (const { offered, stored, projected } of metrics) {
    sum.offered += offered;
    sum.stored += stored;
    sum.projected += projected;
  }
  return sum;
}
