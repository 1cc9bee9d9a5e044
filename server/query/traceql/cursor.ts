import type { BarographError } from '../../model/index.ts';
import { syntaxError } from './errors.ts';
import { lexTraceql, type Token } from './lex.ts';

/** Nested parentheses and operators that the parser follows; deeper queries are refused before the stack overflows. */
const MAX_DEPTH = 200;

/** A parser's place in a query. */
export interface Cursor {
  readonly text: string;
  readonly tokens: readonly Token[];
  next: number;
  depth: number;
}

/** Starts at the query's first token. */
export function openCursor(text: string): Cursor {
  return { text, tokens: lexTraceql(text), next: 0, depth: 0 };
}

/** The token at the cursor, or `ahead` tokens later. */
export function peek(cursor: Cursor, ahead = 0): Token {
  return cursor.tokens[Math.min(cursor.next + ahead, cursor.tokens.length - 1)];
}

/** Takes the token at the cursor. */
export function take(cursor: Cursor): Token {
  const token = peek(cursor);
  if (token.kind !== 'end') cursor.next++;
  return token;
}

/** Whether the token at the cursor is this operator or word. */
export function isAt(cursor: Cursor, text: string, ahead = 0): boolean {
  const token = peek(cursor, ahead);
  return token.text === text && (token.kind === 'operator' || token.kind === 'word');
}

/** Takes the operator or word if it is there. */
export function accept(cursor: Cursor, text: string): boolean {
  const there = isAt(cursor, text);
  if (there) cursor.next++;
  return there;
}

/** Takes the operator or word, which must be there. */
export function expect(cursor: Cursor, text: string): Token {
  if (!isAt(cursor, text)) throw unexpected(cursor, text);
  return take(cursor);
}

/** The error for the token at the cursor. */
export function unexpected(cursor: Cursor, expecting?: string): BarographError {
  const token = peek(cursor);
  const name = token.kind === 'end' ? 'end of query' : token.kind === 'string' ? 'a string' : token.text;
  return syntaxError(cursor.text, token.at, name, expecting);
}

/** Runs a rule one level deeper. */
export function descend<T>(cursor: Cursor, rule: (cursor: Cursor) => T): T {
  if (++cursor.depth > MAX_DEPTH)
    throw syntaxError(cursor.text, peek(cursor).at, `nesting deeper than ${MAX_DEPTH} levels`);
  const result = rule(cursor);
  cursor.depth--;
  return result;
}

/** Reads `rule (, rule)*`. */
export function commaList<T>(cursor: Cursor, rule: (cursor: Cursor) => T): T[] {
  const items = [rule(cursor)];
  while (accept(cursor, ',')) items.push(rule(cursor));
  return items;
}
