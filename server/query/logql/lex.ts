import { syntaxError } from './errors.ts';
import { parseBytes, parseDurationNs, unquote } from './literal.ts';

export type TokenKind = 'identifier' | 'string' | 'number' | 'duration' | 'bytes' | 'flag' | 'operator' | 'end';

/** A token: `text` as it stands in the query; of a string, `value` is its content. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly value: string;
  /** Offset of its first character. */
  readonly at: number;
}

/** Tokens of a query at most: trees of chained operators are as deep as the chain is long, and walks over them recurse. */
const MAX_TOKENS = 5000;

const SPACE = /(?:\s|#[^\n]*)*/y;
const IDENTIFIER = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER = /0[xXoObB][0-9a-fA-F_]*|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const DURATION = /[\d.nuµμmshdwy]+/y;
const BYTES = /[\d.]+[BikKMGTPE]+/y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|`[^`]*`/y;
const FLAG = /--[a-z][a-z-]*/y;
const OPERATOR = /\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[|{}()[\],=<>+\-*/%^]/y;

/**
 * Splits a query into tokens, the last of kind `end`. Comments (`# …`) and space are left out.
 * @throws BarographError `logql_syntax`.
 */
export function lexLogql(text: string): Token[] {
  const tokens: Token[] = [];
  let at = matchAt(SPACE, text, 0)!.length;
  while (at < text.length) {
    const token = nextToken(text, at);
    if (tokens.length >= MAX_TOKENS) throw syntaxError(text, at, `query of more than ${MAX_TOKENS} words and signs`);
    tokens.push(token);
    at += token.text.length;
    at += matchAt(SPACE, text, at)!.length;
  }
  tokens.push({ kind: 'end', text: '', value: '', at });
  return tokens;
}

function nextToken(text: string, at: number): Token {
  const word = matchAt(IDENTIFIER, text, at);
  if (word !== undefined) return { kind: 'identifier', text: word, value: word, at };
  const char = text[at];
  if (char === '"' || char === '`') return stringToken(text, at);
  if (/[\d.]/.test(char)) return numberToken(text, at);
  const flag = matchAt(FLAG, text, at);
  if (flag !== undefined) return { kind: 'flag', text: flag, value: flag, at };
  const operator = matchAt(OPERATOR, text, at);
  if (operator !== undefined) return { kind: 'operator', text: operator, value: operator, at };
  throw syntaxError(text, at, `character ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`);
}

function stringToken(text: string, at: number): Token {
  const literal = matchAt(STRING, text, at);
  if (literal === undefined) throw syntaxError(text, at, 'end of a string', 'a closing quote');
  const value = unquote(literal);
  if (value === undefined)
    throw syntaxError(text, at, 'escape sequence in a string', 'one of \\n \\t \\" \\\\ \\xHH \\uHHHH');
  return { kind: 'string', text: literal, value, at };
}

/** A number is a duration if the longest run of duration characters is one, else bytes, else plain: `1mb` is `1m`, `b`. */
function numberToken(text: string, at: number): Token {
  const duration = matchAt(DURATION, text, at);
  if (duration !== undefined && parseDurationNs(duration) !== undefined) {
    return { kind: 'duration', text: duration, value: duration, at };
  }
  const bytes = matchAt(BYTES, text, at);
  if (bytes !== undefined && parseBytes(bytes) !== undefined) return { kind: 'bytes', text: bytes, value: bytes, at };
  const number = matchAt(NUMBER, text, at);
  if (number === undefined) throw syntaxError(text, at, JSON.stringify(text[at]));
  return { kind: 'number', text: number, value: number, at };
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
