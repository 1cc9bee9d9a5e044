import { type CursorLanguage, peek, type TokenCursor, take, unexpected } from '../token-cursor.ts';
import { syntaxError } from './errors.ts';
import { lexLogql, type Token } from './lex.ts';

export { accept, commaList, descend, expect, isAt, peek, take, unexpected } from '../token-cursor.ts';

const LOGQL: CursorLanguage = { wordKind: 'identifier', stringName: 'STRING', syntaxError };

/** A parser's place in a LogQL query. */
export type Cursor = TokenCursor<Token>;

/** Starts at the query's first token. */
export function openCursor(text: string): Cursor {
  return { text, tokens: lexLogql(text), language: LOGQL, next: 0, depth: 0 };
}

/** Takes an identifier. */
export function expectIdentifier(cursor: Cursor): Token {
  if (peek(cursor).kind !== 'identifier') throw unexpected(cursor, 'IDENTIFIER');
  return take(cursor);
}

/** Takes a string. */
export function expectString(cursor: Cursor): Token {
  if (peek(cursor).kind !== 'string') throw unexpected(cursor, 'STRING');
  return take(cursor);
}
