/** A named value within a text: `name: …`, `name=…`, `"name": …`, also with escaped quotes. */
export interface FieldSite {
  readonly name: string;
  /** Where its value begins. */
  readonly start: number;
  /** Whether `=` stands between, rather than a colon. */
  readonly isAssigned: boolean;
  /** Whether the name stands in quotes. */
  readonly isQuoted: boolean;
}

const COLON = 0x3a;
const EQUALS = 0x3d;
const BLANK = 0x20;
const BACKSLASH = 0x5c;
const MAX_NAME = 80;
const MAX_BLANKS = 4;

/**
 * The first field whose separator is at `from` or later and whose name doesn't begin before it. Lines hold few separators,
 * so it looks for those first and reads the name backwards.
 */
export function nextField(text: string, from: number): FieldSite | undefined {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== COLON && code !== EQUALS) continue;
    let end = at;
    while (end > from && at - end < MAX_BLANKS && text.charCodeAt(end - 1) === BLANK) end--;
    const isQuoted = end > from && isQuote(text.charCodeAt(end - 1));
    if (isQuoted) {
      end--;
      while (end > from && text.charCodeAt(end - 1) === BACKSLASH) end--;
    }
    let begin = end;
    while (begin > from && end - begin <= MAX_NAME && isNameCode(text.charCodeAt(begin - 1))) begin--;
    while (begin < end && !isNameStart(text.charCodeAt(begin))) begin++;
    if (begin === end) continue;
    let start = at + 1;
    while (start - at <= MAX_BLANKS && text.charCodeAt(start) === BLANK) start++;
    return { name: text.slice(begin, end), start, isAssigned: code === EQUALS, isQuoted };
  }
  return undefined;
}

function isQuote(code: number): boolean {
  return code === 0x22 || code === 0x27 || code === 0x60;
}

function isNameStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}

function isNameCode(code: number): boolean {
  return isNameStart(code) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x24;
}
