import { isTime, printFloat, printValue, type TemplateValue, toNumber } from './values.ts';

const VERB = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+))?([a-zA-Z%])/g;

/** Widths and precisions that a template may ask for; more is taken as this, so that a template can't fill the memory. */
const MAX_WIDTH = 10_000;

/** Go's `fmt.Sprintf` for the verbs `%s %q %v %d %f %e %g %t %x %X %o %b %c %U %T %%`. */
export function sprintf(format: string, args: readonly TemplateValue[]): string {
  let next = 0;
  const text = format.replace(
    VERB,
    (all, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const number = (spec: string | undefined) =>
        spec === '*' ? toNumber(args[next++] ?? 0) : spec === undefined ? undefined : Number(spec);
      const [wide, digits] = [number(width), number(precision)];
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const body = formatVerb(verb, flags, digits === undefined ? undefined : Math.min(digits, 100), args[next++], all);
      return pad(body, Math.min(wide ?? 0, MAX_WIDTH), flags, verb);
    },
  );
  return next < args.length
    ? `${text}%!(EXTRA ${args
        .slice(next)
        .map((arg) => `${typeName(arg)}=${printValue(arg)}`)
        .join(', ')})`
    : text;
}

function formatVerb(
  verb: string,
  flags: string,
  precision: number | undefined,
  value: TemplateValue,
  all: string,
): string {
  const plus = flags.includes('+');
  const signed = (text: string) => (plus && !text.startsWith('-') ? `+${text}` : text);
  const isNumber = typeof value === 'number';
  switch (verb) {
    case 's':
    case 'v': {
      const text = verb === 'v' && isNumber ? signed(printValue(value)) : printValue(value);
      return precision === undefined ? text : [...text].slice(0, precision).join('');
    }
    case 'q':
      return typeof value === 'string'
        ? JSON.stringify(value)
        : isNumber
          ? `'${String.fromCodePoint(value)}'`
          : JSON.stringify(printValue(value));
    case 'd':
      return isNumber && Number.isInteger(value) ? signed(BigInt(value).toString()) : mismatch(verb, value);
    case 'f':
    case 'F':
      return isNumber
        ? signed(Number.isFinite(value) ? value.toFixed(precision ?? 6) : printFloat(value))
        : mismatch(verb, value);
    case 'e':
    case 'E': {
      if (!isNumber) return mismatch(verb, value);
      const text = value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
      return signed(verb === 'E' ? text.toUpperCase() : text);
    }
    case 'g':
    case 'G':
      return isNumber
        ? signed(
            precision === undefined ? printFloat(value) : printFloat(Number(value.toPrecision(Math.max(1, precision)))),
          )
        : mismatch(verb, value);
    case 't':
      return typeof value === 'boolean' ? String(value) : mismatch(verb, value);
    case 'x':
    case 'X': {
      const text = isNumber ? BigInt(Math.trunc(value)).toString(16) : Buffer.from(printValue(value)).toString('hex');
      return verb === 'X' ? text.toUpperCase() : text;
    }
    case 'o':
    case 'b':
      return isNumber ? BigInt(Math.trunc(value)).toString(verb === 'o' ? 8 : 2) : mismatch(verb, value);
    case 'c':
      return isNumber ? String.fromCodePoint(value) : mismatch(verb, value);
    case 'U':
      return isNumber ? `U+${value.toString(16).toUpperCase().padStart(4, '0')}` : mismatch(verb, value);
    case 'T':
      return typeName(value);
    default:
      return `%!${verb}(${typeName(value)}=${printValue(value)})${all.length > 0 ? '' : ''}`;
  }
}

function mismatch(verb: string, value: TemplateValue): string {
  return `%!${verb}(${typeName(value)}=${printValue(value)})`;
}

function typeName(value: TemplateValue): string {
  if (value === null) return '<nil>';
  if (isTime(value)) return 'time.Time';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}

function pad(text: string, width: number, flags: string, verb: string): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (flags.includes('0') && /[dfFeEgGxXob]/.test(verb)) {
    const sign = /^[+-]/.exec(text)?.[0] ?? '';
    return sign + '0'.repeat(missing) + text.slice(sign.length);
  }
  return ' '.repeat(missing) + text;
}
