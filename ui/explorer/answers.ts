import type { RequestQueue } from '../api/requests.ts';

/** A value and how often it was counted; too high by `error` at most. */
export interface Hitter {
  readonly value: string;
  readonly count: number;
  readonly error: number;
}

export interface MetricRow {
  readonly name: string;
  readonly offered: number;
  readonly stored: number;
  readonly leaking: number;
  readonly refused: number;
  readonly hourly: readonly number[];
}

export interface LabelRow {
  readonly name: string;
  readonly values: number;
  readonly removed: number;
  readonly folded: number;
  readonly stored: number;
}

export interface RuleRow {
  readonly rule: string;
  readonly action: string;
  readonly label: string;
  readonly count: number;
  readonly series: number;
  readonly metrics: readonly Hitter[];
  readonly senders: readonly Hitter[];
}

export interface SenderRow {
  readonly source: string;
  readonly name: string;
  readonly offered: number;
  readonly leaking: number;
  readonly refused: number;
}

export interface BudgetRow {
  readonly metric: string;
  readonly label: string;
  readonly used: number;
  readonly budget: number;
}

export interface GrowthPoint {
  readonly ms: number;
  readonly offered: number;
  readonly stored: number;
  readonly leaking: number;
  readonly refused: number;
}

/** `/api/barograph/v1/cardinality`, as docs/reference/http-api.md describes it. */
export interface Overview {
  readonly sinceMs: number;
  readonly offered: number;
  readonly stored: number;
  readonly leaking: number;
  readonly refused: number;
  readonly metricCount: number;
  readonly metrics: readonly MetricRow[];
  readonly labels: readonly LabelRow[];
  readonly rules: readonly RuleRow[];
  readonly senders: readonly SenderRow[];
  readonly budgets: readonly BudgetRow[];
  readonly growth: readonly GrowthPoint[];
  readonly policy: {
    readonly generation: number;
    readonly files: readonly string[];
    readonly loadedMs: number;
    readonly error?: { readonly ms: number; readonly message: string };
  };
}

export interface MetricDetail extends MetricRow {
  readonly labels: readonly {
    readonly name: string;
    readonly values: number;
    readonly kept: number;
    readonly budget: number;
    readonly removed: number;
    readonly folded: number;
    readonly fate: {
      readonly kind: 'kept' | 'renamed' | 'removed';
      readonly rule?: string;
      readonly to?: readonly string[];
    };
  }[];
}

export interface LabelDetail extends LabelRow {
  readonly metrics: readonly {
    readonly name: string;
    readonly values: number;
    readonly removed: number;
    readonly folded: number;
  }[];
  readonly top: readonly Hitter[];
  readonly rules: readonly RuleRow[];
}

const ROOT = '/api/barograph/v1/cardinality';

/** The URL of the whole. */
export function overviewUrl(search: string, growth: 'day' | 'month'): string {
  const params = new URLSearchParams({ limit: '200', growth });
  if (search !== '') params.set('search', search);
  return `${ROOT}?${params}`;
}

/** The URL of one metric or label. */
export function detailUrl(kind: 'metric' | 'label', name: string): string {
  return `${ROOT}/${kind}?${new URLSearchParams({ name })}`;
}

/** What an answer holds. */
export async function dataOf<T>(queue: RequestQueue, url: string, signal: AbortSignal): Promise<T> {
  return ((await queue.get(url, signal)) as { readonly data: T }).data;
}
