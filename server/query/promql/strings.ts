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
  let out = '';
  for (let i = 0; i < text.length; ) {
    const run: number[] = [];
    while (text[i] === '\0') {
      run.push(text.charCodeAt(i + 1));
      i += 2;
    }
    if (run.length > 0) out += new TextDecoder().decode(Uint8Array.from(run));
    else out += text[i++];
  }
  return out;
}
