/** How often a text is decoded again: JSON with escapes within base64 within an address is three. */
const MAX_DEPTH = 3;
const MAX_CHARACTERS = 64 * 1024;
/** Characters of base64 or hexadecimal from which a run may hold words; shorter ones say too little. */
const MIN_RUN = 24;
const MIN_ESCAPES = 3;

/** Characters that nobody sees; between letters they hide a word, and NUL is what UTF-16 read as bytes leaves. */
const INVISIBLE = /[\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/g;
const HINT = /[\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff%\\&]|[A-Za-z0-9+/_-]{24}/;
const RUNS = new RegExp(`[A-Za-z0-9+/_-]{${MIN_RUN},}={0,2}`, 'g');
const HEX = /^(?:0x)?((?:[0-9a-f]{2})+)$/i;
const PERCENT = /(?:%(?:25)?[0-9a-f]{2})+/gi;
const ESCAPE = /\\{1,8}(?:u([0-9a-f]{4})|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})/gi;
const ENTITY = /&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi;
const CONTROL = /[^\P{Cc}\t\n\r]|\ufffd/u;

/**
 * What a text reads like once it is decoded: without invisible characters, percent- and unicode-escapes, character
 * references, and with its runs of base64 or hexadecimal that are text. Not the text itself; nothing where there is
 * nothing to decode, which one look tells for most.
 */
export function* readings(text: string, depth = 0): Generator<string> {
  if (text.length < 12 || depth >= MAX_DEPTH || !HINT.test(text)) return;
  const start = text.length > MAX_CHARACTERS ? text.slice(0, MAX_CHARACTERS) : text;
  const unescaped = withoutEscapes(start);
  if (unescaped !== start) {
    yield unescaped;
    yield* readings(unescaped, depth + 1);
  }
  for (const [run] of start.matchAll(RUNS)) {
    const decoded = decodeRun(run);
    if (decoded === undefined) continue;
    yield decoded;
    yield* readings(decoded, depth + 1);
  }
}

/** The text without invisible characters and escapes, the same string where it has none. */
function withoutEscapes(text: string): string {
  let out = INVISIBLE.test(text) ? text.replace(INVISIBLE, '') : text;
  INVISIBLE.lastIndex = 0;
  if (out.includes('%') && count(out, PERCENT) > 0) out = out.replace(PERCENT, percentDecoded).replaceAll('+', ' ');
  if (out.includes('\\') && count(out, ESCAPE) >= MIN_ESCAPES) {
    out = out.replace(ESCAPE, (_, four?: string, two?: string, braced?: string) =>
      characterOf(Number.parseInt(four ?? two ?? braced ?? '', 16)),
    );
  }
  if (out.includes('&#') && count(out, ENTITY) >= MIN_ESCAPES) {
    out = out.replace(ENTITY, (_, hex?: string, decimal?: string) =>
      characterOf(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
    );
  }
  return out;
}

function count(text: string, expression: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(expression)) if (++found >= MIN_ESCAPES) break;
  return found;
}

function percentDecoded(run: string): string {
  return Buffer.from(run.replace(/%(?:25)?/g, ''), 'hex').toString('utf8');
}

function characterOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
}

/** What a run of base64 or hexadecimal says, or `undefined` where that is no text: identifiers and digests are none. */
export function decodeRun(run: string): string | undefined {
  const [, hex] = HEX.exec(run) ?? [];
  const bytes = hex === undefined ? Buffer.from(run, 'base64') : Buffer.from(hex, 'hex');
  // Chance makes of eight bytes text once in ten thousand times, and never of sixteen; one look at the first is cheap.
  if (bytes.length < 12 || !isTextByte(bytes[0]) || !isTextByte(bytes[2]) || !isTextByte(bytes[4])) return undefined;
  const text = (bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes).toString('utf8');
  // What is cut off in the middle of a character is text all the same.
  return CONTROL.test(text.replace(/\ufffd{1,3}$/, '')) ? undefined : text;
}

function isTextByte(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0x7f : byte === 9 || byte === 10 || byte === 13;
}

/** What stands between blanks, quotes and angle brackets. */
const PIECES = /[^\s"'<>]{12,}/g;

/**
 * The text with its encoded pieces cut out that `isContent` says hold content once decoded; the same string where there
 * are none. Of an address what stands before its query stays.
 */
export function cutHidden(text: string, isContent: (reading: string) => boolean, mark: string): string {
  if (!HINT.test(text) && !text.includes('?')) return text;
  const shown = text.replace(INVISIBLE, '');
  if (shown !== text && isContent(shown)) return mark;
  return text.replace(PIECES, (piece) => cutPiece(piece, isContent, mark));
}

function cutPiece(piece: string, isContent: (reading: string) => boolean, mark: string): string {
  const query = piece.indexOf('?');
  if (query >= 0) {
    // A value at a time, because the names of many in a row are words too.
    const isText = piece
      .slice(query + 1)
      .split(/[&;]/)
      .some((pair) => isTelling(pair, isContent));
    return isText ? piece.slice(0, query + 1) + mark : piece;
  }
  const kept = piece.replace(RUNS, (run) => (isReadable(run, isContent) ? mark : run));
  return isReadable(kept, isContent) ? mark : kept;
}

function isReadable(text: string, isContent: (reading: string) => boolean): boolean {
  for (const reading of readings(text)) if (isContent(reading)) return true;
  return false;
}

function isTelling(pair: string, isContent: (reading: string) => boolean): boolean {
  const value = pair.slice(pair.indexOf('=') + 1).replaceAll('+', ' ');
  return isContent(value) || isReadable(value, isContent);
}
