import type { ContentFields } from './content-fields.ts';
import { type FieldSite, nextField } from './field-site.ts';
import { isProse } from './prose.ts';

/** What stands for content that was cut out of a text. */
export const REMOVED_MARK = '[removed]';

const EMPTY_VALUE = /(?:\[\s*\]|\{\s*\}|\(\s*\)|""|''|\\"\\")/y;
const PLAIN_VALUE = /(?:None|null|nil|true|false|-?\d[\d.,]*\s?(?:%|[a-z/]{1,10})?)(?=[\s,;)\]}]|$)/iy;
const STRING_PREFIX = /(?:[bBuUrRfF]{1,2})(?=["'])/y;
const CONSTRUCTOR = /[A-Za-z_][\w.]{0,80}(?=[({[])/y;
/** What ends a bare value in logfmt: the next field. */
const NEXT_ASSIGNED = /[,;]?\s+[A-Za-z_][\w.-]{0,80}=/g;
/** Fields whose bare text is content even if it's one word, since nothing else is ever written there. */
const STRONG = /prompt|completion|question|answer|instruction|generated|transcript|utterance|user_?message/i;

/**
 * The text with the values of content fields cut out, or the same string where there are none. Reads request logs as
 * engines and clients write them: JSON within text, Python reprs (`prompt: '…', params: …`), `key=value`, nested and
 * escaped quotes. A value whose end is missing is cut to the end of the text.
 */
export function scrubText(text: string, fields: ContentFields): string {
  let out = '';
  let done = 0;
  for (let site = nextField(text, 0); site; ) {
    const { start } = site;
    // A field that isn't content is passed by its name only: its value may begin with another field's name.
    const end = start < text.length && fields.isContent(site.name) ? endOfContent(text, site) : start;
    if (end > start) {
      const quote = openingQuote(text, start);
      out += text.slice(done, start) + quote + REMOVED_MARK + quote;
      done = end;
    }
    site = nextField(text, end);
  }
  return done === 0 ? text : out + text.slice(done);
}

/** Where a content field's value ends; its start where there is none to cut. */
function endOfContent(text: string, site: FieldSite): number {
  const { start, isAssigned } = site;
  if (matchesAt(EMPTY_VALUE, text, start) > start) return start;
  let at = matchesAt(STRING_PREFIX, text, start);
  at = text[at] === '"' || text[at] === "'" ? at : matchesAt(CONSTRUCTOR, text, start);
  const opener = text[at];
  if (text.startsWith(REMOVED_MARK, start + openingQuote(text, start).length)) return start;
  if (opener === '"' || opener === "'" || opener === '`' || (opener === '\\' && at === start))
    return endOfString(text, at);
  if (opener === '[' || opener === '{' || opener === '(') return endOfBrackets(text, at);
  const plain = matchesAt(PLAIN_VALUE, text, start);
  const bareEnd = endOfBareValue(text, start, isAssigned);
  const bare = text.slice(start, bareEnd);
  if (plain > start && !isProse(text.slice(plain, bareEnd))) return start;
  if (isAssigned || site.isQuoted || STRONG.test(site.name)) return bareEnd;
  return isProse(bare) ? bareEnd : start;
}

/** After a colon a text goes on to the end, however many lines and colons it has; after `=` to the next field. */
function endOfBareValue(text: string, start: number, isAssigned: boolean): number {
  if (!isAssigned) return text.length;
  NEXT_ASSIGNED.lastIndex = start;
  return NEXT_ASSIGNED.exec(text)?.index ?? text.length;
}

function openingQuote(text: string, start: number): string {
  const at = matchesAt(STRING_PREFIX, text, start);
  if (text[at] === '\\') {
    const end = escapedQuoteEnd(text, at);
    return end > at ? text.slice(at, end) : '';
  }
  return text[at] === '"' || text[at] === "'" ? text[at] : '';
}

/** The end (exclusive) of a string literal that opens at `at`, by any quote, tripled or escaped. */
function endOfString(text: string, at: number): number {
  if (text[at] === '\\') {
    const opened = escapedQuoteEnd(text, at);
    const quote = text.slice(at, opened);
    return opened === at ? at : endOfEscapedString(text, opened, quote);
  }
  const quote = text[at];
  const triple = quote.repeat(3);
  if (text.startsWith(triple, at)) {
    const end = text.indexOf(triple, at + 3);
    return end < 0 ? text.length : end + 3;
  }
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === quote && closesString(text, i, quote)) return i + 1;
  }
  return text.length;
}

/**
 * Whether a quote ends its string. In single quotes an apostrophe may stand unescaped where a program printed the text
 * without care, so a quote between two letters doesn't end it.
 */
function closesString(text: string, at: number, quote: string): boolean {
  return quote !== "'" || !(/\p{L}/u.test(text[at - 1] ?? '') && /\p{L}/u.test(text[at + 1] ?? ''));
}

/** Past the backslashes and the quote of an escaped opening quote, or `at` where there is none. */
function escapedQuoteEnd(text: string, at: number): number {
  let i = at;
  while (text[i] === '\\') i++;
  return text[i] === '"' || text[i] === "'" ? i + 1 : at;
}

function endOfEscapedString(text: string, from: number, quote: string): number {
  for (let i = text.indexOf(quote, from); i >= 0; i = text.indexOf(quote, i + 1)) {
    // More backslashes than the opening quote had belong to a quote within the string.
    if (text[i - 1] !== '\\') return i + quote.length;
  }
  return text.length;
}

/** The end (exclusive) of a bracketed value, minding strings within it. */
function endOfBrackets(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const char = text[i];
    if (char === '[' || char === '{' || char === '(') depth++;
    else if (char === ']' || char === '}' || char === ')') {
      depth--;
      if (depth === 0) return i + 1;
    } else if (char === '"' || char === "'" || char === '\\') i = Math.max(i, endOfString(text, i) - 1);
  }
  return text.length;
}

function matchesAt(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return expression.test(text) ? expression.lastIndex : at;
}
