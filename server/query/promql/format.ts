/**
 * A sample value as Prometheus's JSON shows it: the shortest decimal that reads back equal, never in exponent form for
 * common sizes, `+Inf`, `-Inf`, `NaN`. Go's 'f' format with precision −1.
 */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const e = text.indexOf('e');
  return e < 0 ? text : expandExponent(text, e);
}

/** `1.5e-7` as `0.00000015`, `1.5e21` as `1500000000000000000000`. */
function expandExponent(text: string, e: number): string {
  const negative = text.startsWith('-');
  const [whole, fraction = ''] = text.slice(negative ? 1 : 0, e).split('.');
  const exponent = Number(text.slice(e + 1));
  const digits = whole + fraction;
  const point = whole.length + exponent;
  let out: string;
  if (point <= 0) out = `0.${'0'.repeat(-point)}${digits}`;
  else if (point >= digits.length) out = digits + '0'.repeat(point - digits.length);
  else out = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${out}` : out;
}

/** A number as Go's `%g` shows it: an exponent below 1e-4 and from 1e21 on, with at least two digits. */
export function formatG(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || !Number.isFinite(value) || (size >= 1e-4 && size < 1e21)) return formatValue(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
