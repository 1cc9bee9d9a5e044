import type { BarographError } from '../../model/index.ts';
import type { Scope } from './ast.ts';
import { syntaxError } from './errors.ts';

/** An attribute's place and name, as the lexer reads them: `parent.resource.x`, `."a b"`. */
export interface AttributeName {
  readonly scope: Scope;
  readonly ofParent: boolean;
  readonly name: string;
}

/** A token with its offset. `value` is a string's content or a number; `attribute` is set for attributes. */
export interface Token {
  readonly kind: 'word' | 'string' | 'int' | 'float' | 'duration' | 'attribute' | 'operator' | 'end';
  readonly text: string;
  readonly value?: string | number;
  readonly attribute?: AttributeName;
  readonly at: number;
}

/** Tokens of a query at most: trees of chained operators are as deep as the chain is long, and walks over them recurse. */
const MAX_TOKENS = 5000;

const SPACE = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const SCOPE = /(?:(parent)\.)?(?:(span|resource|event|link|instrumentation)\.)?/y;
const SCOPED_WORD = /(?:span|trace|event|link|instrumentation):[a-zA-Z]+/y;
const WORD = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const DURATION = /(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|[smhd]))+(?![a-zA-Z_])/y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|`[^`]*`/y;
const OPERATOR = /!>>|!<<|&>>|&<<|&&|\|\||>>|<<|!>|!<|!~|!=|&>|&<|&~|=~|>=|<=|[|{}()=<>~!+\-*/%^,]/y;
/** A name ends at space, at an operator that starts with one of these, or at the query's end; parts in quotes may hold anything. */
const PLAIN_NAME = /[^\s{}()=~!<>&|^,"]+/y;
const QUOTED_NAME = /"((?:[^"\\]|\\["\\])*)"/y;

/**
 * Splits a query into tokens, the last of kind `end`.
 * @throws BarographError `traceql_syntax`.
 */
export function lexTraceql(text: string): Token[] {
  const tokens: Token[] = [];
  let at = matchAt(SPACE, text, 0)!.length;
  while (at < text.length) {
    const token = nextToken(text, at);
    if (tokens.length >= MAX_TOKENS) throw syntaxError(text, at, `query of more than ${MAX_TOKENS} words and signs`);
    tokens.push(token);
    at += token.text.length;
    at += matchAt(SPACE, text, at)!.length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function nextToken(text: string, at: number): Token {
  const attribute = attributeToken(text, at);
  if (attribute !== undefined) return attribute;
  const word = matchAt(SCOPED_WORD, text, at) ?? matchAt(WORD, text, at);
  if (word !== undefined) return { kind: 'word', text: word, at };
  const literal = matchAt(STRING, text, at);
  if (literal !== undefined) return { kind: 'string', text: literal, value: unquote(text, literal, at), at };
  if (/[\d.]/.test(text[at])) return numberToken(text, at);
  const operator = matchAt(OPERATOR, text, at);
  if (operator !== undefined) return { kind: 'operator', text: operator, at };
  throw unexpectedCharacter(text, at);
}

function unexpectedCharacter(text: string, at: number): BarographError {
  const char =
    text[at] === '"' ? 'end of a string' : `character ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`;
  return syntaxError(text, at, char);
}

function attributeToken(text: string, at: number): Token | undefined {
  if (/^\.\d/.test(text.slice(at, at + 2)) && matchAt(NUMBER, text, at) === matchAt(PLAIN_NAME, text, at))
    return undefined;
  SCOPE.lastIndex = at;
  const [prefix, parent, scope] = SCOPE.exec(text)!;
  const dotted = prefix !== '';
  if (!dotted && text[at] !== '.') return undefined;
  const start = at + (dotted ? prefix.length : 1);
  let name = '';
  let end = start;
  for (;;) {
    QUOTED_NAME.lastIndex = end;
    const quoted = QUOTED_NAME.exec(text);
    const part = quoted?.[0] ?? matchAt(PLAIN_NAME, text, end);
    if (part === undefined) break;
    name += quoted ? quoted[1].replace(/\\(["\\])/g, '$1') : part;
    end += part.length;
  }
  if (name === '')
    throw syntaxError(
      text,
      start,
      text[start] === undefined ? 'end of query' : text[start],
      'the name of an attribute',
    );
  const attribute: AttributeName = {
    scope: (scope as Scope | undefined) ?? 'any',
    ofParent: parent !== undefined,
    name,
  };
  return { kind: 'attribute', text: text.slice(at, end), attribute, at };
}

function numberToken(text: string, at: number): Token {
  const duration = matchAt(DURATION, text, at);
  if (duration !== undefined) return { kind: 'duration', text: duration, value: durationNs(duration), at };
  const number = matchAt(NUMBER, text, at);
  if (number === undefined) throw unexpectedCharacter(text, at);
  const kind = /^\d+$/.test(number) ? 'int' : 'float';
  if (kind === 'int' && BigInt(number) > 9223372036854775807n)
    throw syntaxError(text, at, `${number}`, 'a number below 2^63');
  return { kind, text: number, value: Number(number), at };
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
};

function durationNs(text: string): number {
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|μs|ms|[smhd])/g))
    total += Number(number) * UNIT_NS[unit];
  return Math.round(total);
}

function unquote(text: string, literal: string, at: number): string {
  if (literal[0] === '`') return literal.slice(1, -1);
  try {
    // Go's escapes that JSON lacks are brought to JSON's first; line breaks can't be inside.
    const json = literal.replace(/\\(?:x([0-9a-fA-F]{2})|([av'])|([\s\S]))/g, (all, hex, odd, rest) => {
      if (hex !== undefined) return `\\u00${hex}`;
      if (odd !== undefined) return { a: '\\u0007', v: '\\u000b', "'": "'" }[odd as 'a' | 'v' | "'"];
      return rest === undefined ? all : `\\${rest}`;
    });
    return JSON.parse(json.replaceAll('\t', '\\t')) as string;
  } catch {
    throw syntaxError(text, at, 'escape sequence in a string', 'one of \\n \\t \\" \\\\ \\xHH \\uHHHH');
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Names that need no quotes. */
export function isPlainAttributeName(name: string): boolean {
  return /^[^\s{}()=~!<>&|^,"\\]+$/.test(name);
}
