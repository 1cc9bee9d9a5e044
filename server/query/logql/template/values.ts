/** A moment, as `__timestamp__` and `unixToTime` give it. */
export interface TemplateTime {
  readonly kind: 'time';
  readonly ns: bigint;
}

/** What a template computes with. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | TemplateTime
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue };

/** A template that can't be applied to a line; the reason doesn't quote the line. */
export class TemplateFailure extends Error {}

export function isTime(value: TemplateValue): value is TemplateTime {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'time' &&
    'ns' in value &&
    typeof value.ns === 'bigint'
  );
}

/** Go's truth: false, 0, nil, and empty strings, lists and maps are false. */
export function isTrue(value: TemplateValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null && !isTime(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The text that printing a value gives (Go's `%v`). */
export function printValue(value: TemplateValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return printFloat(value);
  if (typeof value === 'boolean') return String(value);
  if (value === null) return '<no value>';
  if (isTime(value)) return formatTime(value, '2006-01-02 15:04:05.999999999 -0700 MST');
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`;
  const record = value as { readonly [name: string]: TemplateValue };
  const entries = Object.keys(record).sort();
  return `map[${entries.map((name) => `${name}:${printValue(record[name])}`).join(' ')}]`;
}

/** A number as Go prints a float: exponents below 1e-4 and from 1e21, of at least two digits. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e21) ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** A value as a number: text that isn't one counts as 0, as in Loki's arithmetic. */
export function toNumber(value: TemplateValue): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    const number = value.trim() === '' ? 0 : Number(value);
    return Number.isNaN(number) ? 0 : number;
  }
  return 0;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const LAYOUT =
  /January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|-07:00|-0700|-07|_2|002|01|02|03|04|05|06|15|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g;

/** A moment in UTC by a Go layout (`2006-01-02T15:04:05Z07:00`). */
export function formatTime(time: TemplateTime, layout: string): string {
  const seconds = time.ns >= 0n ? time.ns / 1_000_000_000n : -((-time.ns + 999_999_999n) / 1_000_000_000n);
  const date = new Date(Number(seconds) * 1000);
  const nanos = (time.ns - seconds * 1_000_000_000n).toString().padStart(9, '0');
  return layout.replace(LAYOUT, (part) => layoutPart(part, date, nanos));
}

function layoutPart(part: string, date: Date, nanos: string): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const hour12 = date.getUTCHours() % 12 || 12;
  switch (part) {
    case 'January':
      return MONTHS[date.getUTCMonth()];
    case 'Jan':
      return MONTHS[date.getUTCMonth()].slice(0, 3);
    case 'Monday':
      return DAYS[date.getUTCDay()];
    case 'Mon':
      return DAYS[date.getUTCDay()].slice(0, 3);
    case 'MST':
      return 'UTC';
    case '2006':
      return String(date.getUTCFullYear()).padStart(4, '0');
    case '06':
      return two(date.getUTCFullYear() % 100);
    case 'Z07:00':
    case 'Z0700':
      return 'Z';
    case '-07:00':
      return '+00:00';
    case '-0700':
      return '+0000';
    case '-07':
      return '+00';
    case '01':
      return two(date.getUTCMonth() + 1);
    case '1':
      return String(date.getUTCMonth() + 1);
    case '02':
      return two(date.getUTCDate());
    case '_2':
      return String(date.getUTCDate()).padStart(2, ' ');
    case '2':
      return String(date.getUTCDate());
    case '002':
      return String(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(
        3,
        '0',
      );
    case '15':
      return two(date.getUTCHours());
    case '03':
      return two(hour12);
    case '3':
      return String(hour12);
    case '04':
      return two(date.getUTCMinutes());
    case '4':
      return String(date.getUTCMinutes());
    case '05':
      return two(date.getUTCSeconds());
    case '5':
      return String(date.getUTCSeconds());
    case 'PM':
      return date.getUTCHours() < 12 ? 'AM' : 'PM';
    case 'pm':
      return date.getUTCHours() < 12 ? 'am' : 'pm';
    default: {
      const digits = nanos.slice(0, part.length - 1);
      if (part[1] === '0') return part[0] + digits;
      const trimmed = digits.replace(/0+$/, '');
      return trimmed === '' ? '' : part[0] + trimmed;
    }
  }
}
