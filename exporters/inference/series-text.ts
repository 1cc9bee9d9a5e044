/** A label's name and value. */
export type Label = readonly [name: string, value: string];

/** A series as the text formats write it up to its value, with a blank behind it. */
export function seriesText(name: string, labels: readonly Label[]): string {
  if (labels.length === 0) return `${name} `;
  return `${name}{${labels.map(([label, value]) => `${label}="${escapeValue(value)}"`).join(',')}} `;
}

/** A label's value as it stands between quotes. */
export function escapeValue(value: string): string {
  return /[\\\n"]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value;
}

/** A number as OpenMetrics writes bounds: always with a point or an exponent, so that bounds of all engines are alike. */
export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  const text = String(value);
  return /[.eN]/.test(text) ? text : `${text}.0`;
}

/** A sample's value. */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
