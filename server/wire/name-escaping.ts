/**
 * What becomes of characters that Prometheus's old rules forbid in names: kept (`allow-utf-8`), `_`, `.` spelled out, or
 * every one encoded so that the name can be had back.
 */
export type EscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values';

export const ESCAPING_SCHEMES: readonly EscapingScheme[] = ['allow-utf-8', 'underscores', 'dots', 'values'];

const OLD_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/**
 * Writes a metric or label name by a scheme. Source: prometheus/common model.EscapeName; as there, `dots` also doubles
 * underscores of names that were valid before, so that it can be undone.
 */
export function escapeName(name: string, scheme: EscapingScheme): string {
  if (name === '' || scheme === 'allow-utf-8') return name;
  if (scheme !== 'dots' && OLD_NAME.test(name)) return name;
  let out = scheme === 'values' ? 'U__' : '';
  let first = true;
  for (const char of name) {
    out += escapeChar(char, first, scheme);
    first = false;
  }
  return out;
}

function escapeChar(char: string, first: boolean, scheme: Exclude<EscapingScheme, 'allow-utf-8'>): string {
  const isOld = /[a-zA-Z_:]/.test(char) || (!first && /[0-9]/.test(char));
  switch (scheme) {
    case 'underscores':
      return isOld ? char : '_';
    case 'dots':
      if (char === '_') return '__';
      if (char === '.') return '_dot_';
      return isOld ? char : '__';
    case 'values': {
      if (char === '_') return '__';
      if (isOld) return char;
      const code = char.codePointAt(0) ?? 0xfffd;
      return code >= 0xd800 && code <= 0xdfff ? '_FFFD_' : `_${code.toString(16)}_`;
    }
  }
}

/**
 * Undoes `values`: a name that begins with `U__` as Grafana and PromQL's API send it. Names that aren't such an encoding
 * are returned as they are, as prometheus/common does.
 */
export function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  let out = '';
  for (let i = 3; i < name.length; ) {
    if (name[i] !== '_') {
      out += name[i++];
      continue;
    }
    if (name[i + 1] === '_') {
      out += '_';
      i += 2;
      continue;
    }
    const match = /^_([0-9a-fA-F]{1,6})_/.exec(name.slice(i, i + 9));
    const code = match === null ? Number.NaN : Number.parseInt(match[1], 16);
    if (match === null || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return name;
    out += String.fromCodePoint(code);
    i += match[0].length;
  }
  return out;
}
