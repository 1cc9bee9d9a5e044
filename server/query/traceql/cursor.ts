import type { CursorLanguage, TokenCursor } from '../token-cursor.ts';
import { syntaxError } from './errors.ts';
import { lexTraceql, type Token } from './lex.ts';

export { accept, commaList, descend, expect, isAt, peek, take, unexpected } from '../token-cursor.ts';

const TRACEQL: CursorLanguage = { wordKind: 'word', stringName: 'a string', syntaxError };

/** A parser's place in a TraceQL query. */
export type Cursor = TokenCursor<Token>;

/** Starts at the query's first token. */
export function openCursor(text: string): Cursor {
  return { text, tokens: lexTraceql(text), language: TRACEQL, next: 0, depth: 0 };
}
