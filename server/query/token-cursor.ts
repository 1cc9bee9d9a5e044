import type { BarographError } from '../model/index.ts';

/** Nested parentheses and operators that a parser follows; deeper queries are refused before the stack overflows. */
const MAX_DEPTH = 200;

/** What a parser needs of a token. */
export interface CursorToken {
  readonly kind: string;
  readonly text: string;
  /** Offset of its first character. */
  readonly at: number;
}

/** What LogQL and TraceQL do not share. */
export interface CursorLanguage {
  /** The kind of tokens that are words; keywords are told by their text. */
  readonly wordKind: string;
  /** What errors call a string. */
  readonly stringName: string;
  readonly syntaxError: (text: string, at: number, what: string, expecting?: string) => BarographError;
}

/** A parser's place in a query; the last token is of kind `end`. */
export interface TokenCursor<T extends CursorToken> {
  readonly text: string;
  readonly tokens: readonly T[];
  readonly language: CursorLanguage;
  next: number;
  depth: number;
}

/** The token at the cursor, or `ahead` tokens later. */
export function peek<T extends CursorToken>(cursor: TokenCursor<T>, ahead = 0): T {
  return cursor.tokens[Math.min(cursor.next + ahead, cursor.tokens.length - 1)];
}

/** Takes the token at the cursor. */
export function take<T extends CursorToken>(cursor: TokenCursor<T>): T {
  const token = peek(cursor);
  if (token.kind !== 'end') cursor.next++;
  return token;
}

/** Whether the token at the cursor is this operator or word. */
export function isAt(cursor: TokenCursor<CursorToken>, text: string, ahead = 0): boolean {
  const token = peek(cursor, ahead);
  return token.text === text && (token.kind === 'operator' || token.kind === cursor.language.wordKind);
}

/** Takes the operator or word if it is there. */
export function accept(cursor: TokenCursor<CursorToken>, text: string): boolean {
  const there = isAt(cursor, text);
  if (there) cursor.next++;
  return there;
}

/** Takes the operator or word, which must be there. */
export function expect<T extends CursorToken>(cursor: TokenCursor<T>, text: string): T {
  if (!isAt(cursor, text)) throw unexpected(cursor, text);
  return take(cursor);
}

/** The error for the token at the cursor. */
export function unexpected(cursor: TokenCursor<CursorToken>, expecting?: string): BarographError {
  const { stringName, syntaxError } = cursor.language;
  const token = peek(cursor);
  const name = token.kind === 'end' ? 'end of query' : token.kind === 'string' ? stringName : token.text;
  return syntaxError(cursor.text, token.at, name, expecting);
}

/** Runs a rule one level deeper. */
export function descend<C extends TokenCursor<CursorToken>, R>(cursor: C, rule: (cursor: C) => R): R {
  if (++cursor.depth > MAX_DEPTH) {
    const what = `nesting deeper than ${MAX_DEPTH} levels`;
    throw cursor.language.syntaxError(cursor.text, peek(cursor).at, what);
  }
  const result = rule(cursor);
  cursor.depth--;
  return result;
}

/** Reads `rule (, rule)*`. */
export function commaList<C extends TokenCursor<CursorToken>, R>(cursor: C, rule: (cursor: C) => R): R[] {
  const items = [rule(cursor)];
  while (accept(cursor, ',')) items.push(rule(cursor));
  return items;
}
