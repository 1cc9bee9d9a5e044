const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
};
const ESCAPE =
  /\\(?:(?<simple>[abfnrtv\\'"])|x(?<hex>[0-9a-fA-F]{2})|(?<octal>[0-7]{3})|u(?<short>[0-9a-fA-F]{4})|U(?<long>[0-9a-fA-F]{8})|)/g;

/**
 * The text of a quoted literal: double or single quotes with Go's escapes, or backticks without any. Bytes that are not
 * UTF-8 (from `\x` and octal escapes) become lone surrogates U+DC80…U+DCFF, so that `isWellFormed()` tells that such a
 * text can't be a label; `quote` turns them back. `undefined` where an escape isn't one of Go's.
 */
export function unquote(literal: string): string | undefined {
  const inner = literal.slice(1, -1);
  if (literal[0] === '`' || !inner.includes('\\')) return inner;
  const bytes: Buffer[] = [];
  let at = 0;
  for (const match of inner.matchAll(ESCAPE)) {
    bytes.push(Buffer.from(inner.slice(at, match.index)));
    at = match.index + match[0].length;
    const { simple, hex, octal, short, long } = match.groups ?? {};
    if (simple !== undefined) bytes.push(Buffer.from([SIMPLE[simple]]));
    else if (hex !== undefined) bytes.push(Buffer.from([Number.parseInt(hex, 16)]));
    else if (octal !== undefined && Number.parseInt(octal, 8) < 256)
      bytes.push(Buffer.from([Number.parseInt(octal, 8)]));
    else {
      const code = Number.parseInt(short ?? long ?? 'none', 16);
      if (Number.isNaN(code) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
      bytes.push(Buffer.from(String.fromCodePoint(code)));
    }
  }
  bytes.push(Buffer.from(inner.slice(at)));
  return decode(Buffer.concat(bytes));
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Some byte is no UTF-8: what decodes alone stays, the others are marked one by one.
    let out = '';
    for (let i = 0; i < bytes.length; ) {
      const length = bytes[i] < 0x80 ? 1 : bytes[i] >= 0xf0 ? 4 : bytes[i] >= 0xe0 ? 3 : bytes[i] >= 0xc0 ? 2 : 1;
      const text = bytes.subarray(i, i + length).toString('utf8');
      const good = !text.includes('\ufffd');
      out += good ? text : String.fromCharCode(0xdc00 + bytes[i]);
      i += good ? length : 1;
    }
    return out;
  }
}

/** A text in double quotes with the escapes that Go's `strconv.Quote` uses for what JSON can't or won't show. */
export function quote(text: string): string {
  if (text.isWellFormed()) return JSON.stringify(text);
  return JSON.stringify(text).replace(/\\ud[c-f]([0-9a-f]{2})/g, '\\x$1');
}
