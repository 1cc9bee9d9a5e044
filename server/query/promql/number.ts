import { parseDurationMs } from '../../model/index.ts';

/**
 * A number as PromQL reads it: decimal or hexadecimal with underscores, octal with a leading 0, `Inf`, `NaN`, or a
 * duration such as `1h30m` as its seconds. `undefined` for anything else.
 */
export function parseNumber(text: string): number | undefined {
  const unsigned = text.replace(/^[+-]\s*/, '');
  const value = parseUnsigned(unsigned.toLowerCase().replaceAll('_', ''));
  return text.startsWith('-') && value !== undefined ? -value : value;
}

function parseUnsigned(text: string): number | undefined {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === 'nan') return Number.NaN;
  if (/^0x[0-9a-f]+$/.test(text)) return Number(text);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  if (/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text)) return Number(text);
  if (!/^[\dywdhms]+$/.test(text)) return undefined;
  try {
    return parseDurationMs(text) / 1000;
  } catch {
    return undefined;
  }
}
