/** What one value of a label costs. */
export interface CostRow {
  readonly value: string;
  readonly series: number;
  readonly samplesPerMinute: number;
  readonly metricBytesPerDay: number;
  readonly logBytesPerDay: number;
  readonly spanBytesPerDay: number;
  readonly bytesPerDay: number;
  readonly share: number;
  readonly weekAgo: { readonly series: number; readonly bytesPerDay: number } | null;
  readonly moneyPerMonth: number | null;
}

export interface SavingRow {
  readonly metrics: string;
  readonly label: string;
  readonly series: number;
  readonly saved: number;
  readonly share: number;
}

/** `/api/barograph/v1/cost`, as docs/reference/http-api.md describes it. */
export interface CostAnswer {
  readonly by: string;
  readonly labels: readonly string[];
  readonly sinceMs: number;
  readonly coveredHours: number;
  readonly bytesPerSample: number;
  readonly isMeasured: boolean;
  readonly price: { readonly perGibMonth: number; readonly currency: string } | null;
  readonly total: CostRow;
  readonly rows: readonly CostRow[];
  readonly rest: (CostRow & { readonly values: number }) | null;
  readonly isBounded: boolean;
  readonly savings: readonly SavingRow[];
}

/** The URL of the cost by a label. */
export function costUrl(by: string): string {
  return `/api/barograph/v1/cost?${new URLSearchParams({ by, limit: '100' })}`;
}

const THIN = '\u202f';

/** How much more or less it is than it was; `new` where there was nothing. */
export function printGrowth(now: number, before: number): string {
  if (before <= 0) return now > 0 ? 'new' : '–';
  const percent = Math.round((now / before - 1) * 100);
  if (percent >= 1000) return `×${THIN}${Math.round(now / before)}`;
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${Math.abs(percent)}${THIN}%`;
}

/** An amount of money: whole from 100 on, else with two decimals. */
export function printMoney(amount: number, currency: string): string {
  const text = amount > 0 && amount < 0.01 ? `<${THIN}0.01` : amount.toFixed(amount >= 100 ? 0 : 2);
  return `${text}${THIN}${currency}`;
}
