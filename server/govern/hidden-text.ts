/** How often a text is decoded again: JSON with escapes within base64 within an address is three. */
const MAX_DEPTH = 3;
const MAX_CHARACTERS = 64 * 1024;
/** Characters of base64 or hexadecimal from which a run may hold words; shorter ones say too little. */
const MIN_RUN = 24;
const MIN_ESCAPES = 3;

/** Characters that nobody sees; between letters they hide a word, and NUL is what UTF-16 read as bytes leaves. */
const INVISIBLE = /[\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/g;
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
export function readings(text: string, depth = 0): Iterable<string> {
  return text.length < 12 || depth >= MAX_DEPTH || !mayHide(text) ? NOTHING : decodings(text, depth);
}

const NOTHING: readonly string[] = [];

function* decodings(text: string, depth: number): Generator<string> {
  const start = text.length > MAX_CHARACTERS ? text.slice(0, MAX_CHARACTERS) : text;
  const unescaped = withoutEscapes(start);
  if (unescaped !== start) {
    yield unescaped;
    yield* readings(unescaped, depth + 1);
  }
  for (const [run] of start.matchAll(RUNS)) {
    for (const decoded of decodeRun(run)) {
      yield decoded;
      yield* readings(decoded, depth + 1);
    }
  }
}

/** By character code: whether base64 or hexadecimal may have it. */
const IS_RUN = new Uint8Array(128);
for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-') IS_RUN[sign.charCodeAt(0)] = 1;

const SEES_INVISIBLE = /[\0\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/;
const SEES_PERCENT = /%[0-9a-f]{2}/i;
const SEES_ESCAPE = /\\[ux]/;

/** Whether there may be something to decode; nearly all texts have nothing, and are told by few looks at them. */
function mayHide(text: string): boolean {
  if (text.includes('%') && SEES_PERCENT.test(text)) return true;
  if (text.includes('\\') && SEES_ESCAPE.test(text)) return true;
  return text.includes('&#') || SEES_INVISIBLE.test(text) || hasTextRun(text);
}

/** Whether there is a run that may be text, as a whole or behind a separator. A run has every 24th character, at least one. */
function hasTextRun(text: string): boolean {
  const limit = Math.min(text.length, MAX_CHARACTERS);
  for (let probe = MIN_RUN - 1; probe < limit; probe += MIN_RUN) {
    if (IS_RUN[text.charCodeAt(probe)] !== 1) continue;
    let start = probe;
    while (start > 0 && IS_RUN[text.charCodeAt(start - 1)] === 1) start--;
    let end = probe + 1;
    while (end < limit && IS_RUN[text.charCodeAt(end)] === 1) end++;
    if (end - start >= MIN_RUN && isTextRun(text, start, end)) return true;
    probe = Math.max(probe, end - MIN_RUN);
  }
  return false;
}

function isTextRun(text: string, start: number, end: number): boolean {
  if (looksDecodable(text, start)) return true;
  for (let at = start; at < end - MIN_RUN; at++) {
    const code = text.charCodeAt(at);
    const isSeparator = code === 0x2d || code === 0x2f || code === 0x5f;
    if (isSeparator && looksDecodable(text, at + 1)) return true;
  }
  return false;
}

/** By character code: the six bits that base64 means by it, in either alphabet. */
const SIX_BITS = new Uint8Array(128);
for (const [bits, sign] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  SIX_BITS[sign.charCodeAt(0)] = bits;
}
SIX_BITS[0x2d] = 62;
SIX_BITS[0x5f] = 63;

/** Whether eight characters of a run are six bytes of text in base64, or four in hexadecimal. Few are by chance. */
function looksDecodable(text: string, from: number): boolean {
  return isTextInBase64(text, from) || isTextInHex(text, from);
}

function isTextInBase64(text: string, from: number): boolean {
  let pending = 0;
  for (let at = from; at < from + 8; at += 4) {
    const bits =
      (SIX_BITS[text.charCodeAt(at)] << 18) |
      (SIX_BITS[text.charCodeAt(at + 1)] << 12) |
      (SIX_BITS[text.charCodeAt(at + 2)] << 6) |
      SIX_BITS[text.charCodeAt(at + 3)];
    for (let shift = 16; shift >= 0; shift -= 8) {
      pending = pendingAfter(pending, (bits >> shift) & 255);
      if (pending < 0) return false;
    }
  }
  return true;
}

function isTextInHex(text: string, from: number): boolean {
  const start = text.startsWith('0x', from) ? from + 2 : from;
  let pending = 0;
  for (let at = start; at < start + 8; at += 2) {
    if (!isHexCode(text.charCodeAt(at)) || !isHexCode(text.charCodeAt(at + 1))) return false;
    pending = pendingAfter(pending, Number.parseInt(text.slice(at, at + 2), 16));
    if (pending < 0) return false;
  }
  return true;
}

/**
 * How many bytes of a character of UTF-8 are to come after this one, −1 where it can't stand there. NUL may, because it
 * is every other byte of UTF-16.
 */
function pendingAfter(pending: number, byte: number): number {
  if (pending > 0) return byte >= 0x80 && byte < 0xc0 ? pending - 1 : -1;
  if (byte >= 0x20 && byte < 0x7f) return 0;
  if (byte < 0x80) return byte === 0 || byte === 9 || byte === 10 || byte === 13 ? 0 : -1;
  if (byte < 0xc2 || byte > 0xf4) return -1;
  return byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
}

function isHexCode(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
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

/**
 * What a run of base64 or hexadecimal says, as a whole and behind separators (`part-…`, `image/…`); nothing where that is
 * no text: identifiers and digests are none.
 */
export function decodeRun(run: string): string[] {
  const pieces = [run];
  for (const piece of run.split(/[-/_]/)) if (piece.length >= MIN_RUN && piece !== run) pieces.push(piece);
  return pieces.map(decodePiece).filter((text) => text !== undefined);
}

function decodePiece(piece: string): string | undefined {
  if (!looksDecodable(piece, 0)) return undefined;
  const [, hex] = HEX.exec(piece) ?? [];
  const bytes = hex === undefined ? Buffer.from(piece, 'base64') : Buffer.from(hex, 'hex');
  const text = (bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes).toString('utf8');
  // What is cut off in the middle of a character is text all the same.
  return text.length < 9 || CONTROL.test(text.replace(/\ufffd{1,3}$/, '')) ? undefined : text;
}

/** What stands between blanks, quotes and angle brackets. */
const PIECES = /[^\s"'<>]{12,}/g;
/** The beginning of an address's query. */
const QUERY = /\?[^\s=]{1,64}=/;

/**
 * The text with its encoded pieces cut out that `isContent` says hold content once decoded; the same string where there
 * are none. Of an address what stands before its query stays.
 */
export function cutHidden(text: string, isContent: (reading: string) => boolean, mark: string): string {
  if (!QUERY.test(text) && !mayHide(text)) return text;
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
  if (!mayHide(piece)) return piece;
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
