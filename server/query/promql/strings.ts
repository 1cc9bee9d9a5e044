const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)/g;

/**
 * The text of a quoted literal: double or single quotes with Go's escapes, or backticks without any. Runs of `\x`
 * escapes are bytes of UTF-8. `undefined` where an escape isn't one of Go's.
 */
export function unquote(literal: string): string | undefined {
  const inner = literal.slice(1, -1);
  if (literal[0] === '`' || !inner.includes('\\')) return inner;
  let broken = false;
  let bytes = false;
  const text = inner.replace(ESCAPE, (_, simple, hex, octal, short, long) => {
    if (simple !== undefined) return SIMPLE[simple];
    if (hex !== undefined || octal !== undefined) {
      bytes = true;
      return `\u0000${String.fromCharCode(hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(octal, 8))}`;
    }
    const code = Number.parseInt(short ?? long ?? 'x', 16);
    if (Number.isNaN(code) || code > 0x10ffff) {
      broken = true;
      return '';
    }
    return String.fromCodePoint(code);
  });
  if (broken) return undefined;
  if (!bytes) return text;
  // A NUL marks the byte after it; runs of marked bytes are decoded together.
  return text.replace(/(?:\u0000[\u0000-\u00ff])+/g, (run) =>
    new TextDecoder().decode(Uint8Array.from(run.split('\u0000').slice(1), (c) => (c === '' ? 0 : c.charCodeAt(0)))),
  );
}
