import { unquote } from '../literal.ts';
import { TEMPLATE_FUNCTIONS, UNSUPPORTED_FUNCTIONS } from './functions.ts';
import type { Command, Operand, Pipeline, TemplateNode } from './nodes.ts';

/** A template that can't be compiled; the message goes into the query's error. */
export class TemplateProblem extends Error {}

interface Token {
  readonly kind: 'text' | 'open' | 'close' | 'word' | 'field' | 'variable' | 'dot' | 'constant' | 'punctuation';
  readonly text: string;
  readonly value?: string | number;
}

interface Parser {
  readonly tokens: readonly Token[];
  next: number;
  depth: number;
}

const MAX_DEPTH = 50;

/**
 * Parses a Go template.
 * @throws TemplateProblem where the syntax is wrong or a function doesn't exist.
 */
export function parseTemplate(text: string): TemplateNode[] {
  const parser = { tokens: lexTemplate(text), next: 0, depth: 0 };
  const { nodes, end } = parseNodes(parser);
  if (end !== '') throw new TemplateProblem(`unexpected {{${end}}}`);
  return nodes;
}

const OPEN = /\{\{-(?=\s)|\{\{/g;
const COMMENT = /^\{\{(?:-\s)?\s*\/\*[\s\S]*?\*\/\s*(?:\s-)?\}\}/;
const INSIDE =
  /\s+|(?<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<char>'(?:[^'\\]|\\.)+')|(?<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(?<field>\.[\p{L}_][\p{L}\p{N}_]*)|(?<variable>\$[\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<dot>\.)|(?<punctuation>:=|[=|(),])/uy;

function lexTemplate(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    OPEN.lastIndex = at;
    const open = OPEN.exec(text);
    let literal = text.slice(at, open?.index ?? text.length);
    if (trimNext) literal = literal.trimStart();
    if (open?.[0] === '{{-') literal = literal.trimEnd();
    if (literal !== '') tokens.push({ kind: 'text', text: literal });
    if (open === null) return tokens;
    const comment = COMMENT.exec(text.slice(open.index));
    if (comment) {
      at = open.index + comment[0].length;
      trimNext = comment[0].endsWith('-}}');
      continue;
    }
    tokens.push({ kind: 'open', text: '{{' });
    at = lexAction(text, open.index + open[0].length, tokens);
    trimNext = text.slice(at - 3, at) === '-}}' && /\s/.test(text[at - 4] ?? '');
  }
}

function lexAction(text: string, start: number, tokens: Token[]): number {
  let at = start;
  for (;;) {
    if (at >= text.length) throw new TemplateProblem('unclosed action');
    const close = /^(?:\s-)?\}\}/.exec(text.slice(at, at + 4));
    if (close) {
      tokens.push({ kind: 'close', text: '}}' });
      return at + close[0].length;
    }
    INSIDE.lastIndex = at;
    const match = INSIDE.exec(text);
    if (match === null) {
      const rest = text.slice(at);
      if (/^["'`]/.test(rest)) throw new TemplateProblem('unterminated quoted string');
      throw new TemplateProblem(`unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))} in action`);
    }
    // White space before `-}}` belongs to the closing mark, so it is taken one character at a time.
    if (match[0].trim() === '') at += /^\s-\}\}/.test(text.slice(at, at + 4)) ? 0 : 1;
    else at += match[0].length;
    const token = tokenOf(match);
    if (token !== undefined) tokens.push(token);
  }
}

function tokenOf(match: RegExpExecArray): Token | undefined {
  const [text] = match;
  const { string, char, number, field, variable, word, dot, punctuation } = match.groups!;
  if (string !== undefined || char !== undefined) {
    const value = unquote(char === undefined ? text : `"${char.slice(1, -1).replaceAll('"', '\\"')}"`);
    if (value === undefined) throw new TemplateProblem(`invalid string literal ${text}`);
    return { kind: 'constant', text, value: char === undefined ? value : value.codePointAt(0)! };
  }
  if (number !== undefined) return { kind: 'constant', text, value: Number(number) };
  if (field !== undefined) return { kind: 'field', text };
  if (variable !== undefined) return { kind: 'variable', text };
  if (word !== undefined) return { kind: 'word', text };
  if (dot !== undefined) return { kind: 'dot', text };
  return punctuation === undefined ? undefined : { kind: 'punctuation', text };
}

function peek(parser: Parser): Token | undefined {
  return parser.tokens[parser.next];
}

function acceptText(parser: Parser, text: string): boolean {
  const there = peek(parser)?.text === text && peek(parser)?.kind !== 'constant' && peek(parser)?.kind !== 'text';
  if (there) parser.next++;
  return there;
}

function expectClose(parser: Parser): void {
  if (peek(parser)?.kind !== 'close')
    throw new TemplateProblem(`unexpected ${JSON.stringify(peek(parser)?.text ?? 'EOF')} in action`);
  parser.next++;
}

/** Reads nodes up to the template's end (`end` is empty) or to `{{end}}` or `{{else}}` (behind its opening and word). */
function parseNodes(parser: Parser): { nodes: TemplateNode[]; end: string } {
  if (++parser.depth > MAX_DEPTH) throw new TemplateProblem(`nested deeper than ${MAX_DEPTH}`);
  const nodes: TemplateNode[] = [];
  for (;;) {
    const token = peek(parser);
    if (token === undefined) {
      parser.depth--;
      return { nodes, end: '' };
    }
    parser.next++;
    if (token.kind === 'text') {
      nodes.push({ kind: 'text', text: token.text });
      continue;
    }
    const word = peek(parser)?.kind === 'word' ? peek(parser)!.text : '';
    if (word === 'end' || word === 'else') {
      parser.next++;
      parser.depth--;
      return { nodes, end: word };
    }
    if (word === 'if' || word === 'with' || word === 'range') {
      parser.next++;
      nodes.push(parseBranch(parser, word));
      continue;
    }
    if (['define', 'template', 'block', 'break', 'continue'].includes(word)) {
      throw new TemplateProblem(`{{${word}}} is not supported; accepted are if, with, range and pipelines`);
    }
    nodes.push({ kind: 'print', pipeline: parsePipeline(parser) });
    expectClose(parser);
  }
}

function parseBranch(parser: Parser, kind: 'if' | 'with' | 'range'): TemplateNode {
  const variables = kind === 'range' ? parseRangeVariables(parser) : [];
  const pipeline = parsePipeline(parser);
  expectClose(parser);
  const first = parseNodes(parser);
  let otherwise: TemplateNode[] = [];
  let { end } = first;
  if (end === 'else') {
    const chained = peek(parser)?.kind === 'word' && (peek(parser)!.text === 'if' || peek(parser)!.text === 'with');
    if (chained) {
      const word = peek(parser)!.text as 'if' | 'with';
      parser.next++;
      otherwise = [parseBranch(parser, word)];
      end = 'chained';
    } else {
      expectClose(parser);
      const second = parseNodes(parser);
      otherwise = second.nodes;
      end = second.end;
    }
  }
  if (end === '' || end === 'else')
    throw new TemplateProblem(end === '' ? 'unexpected EOF' : 'expected end; found {{else}}');
  if (end === 'end') expectClose(parser);
  return kind === 'range'
    ? { kind, pipeline, variables, body: first.nodes, otherwise }
    : { kind, pipeline, body: first.nodes, otherwise };
}

function parseRangeVariables(parser: Parser): string[] {
  const start = parser.next;
  const variables: string[] = [];
  while (peek(parser)?.kind === 'variable') {
    variables.push(peek(parser)!.text);
    parser.next++;
    if (!acceptText(parser, ',')) break;
  }
  if (variables.length > 0 && acceptText(parser, ':=')) return variables;
  parser.next = start;
  return [];
}

function parsePipeline(parser: Parser): Pipeline {
  let assign: string | undefined;
  const following = parser.tokens[parser.next + 1]?.text;
  if (peek(parser)?.kind === 'variable' && (following === ':=' || following === '=')) {
    assign = peek(parser)!.text;
    parser.next += 2;
  }
  const commands = [parseCommand(parser, true)];
  while (acceptText(parser, '|')) commands.push(parseCommand(parser, false));
  return { assign, commands };
}

function parseCommand(parser: Parser, first: boolean): Command {
  const token = peek(parser);
  const constants = ['true', 'false', 'nil'];
  if (token?.kind === 'word' && !constants.includes(token.text)) {
    parser.next++;
    const args: Operand[] = [];
    while (isOperandStart(parser)) args.push(parseOperand(parser));
    checkCall(token.text, args.length + (first ? 0 : 1));
    return { kind: 'call', name: token.text, args };
  }
  if (!isOperandStart(parser)) throw new TemplateProblem('missing value for command');
  const operand = parseOperand(parser);
  if (isOperandStart(parser)) throw new TemplateProblem("can't give arguments to a value that is no function");
  if (!first) throw new TemplateProblem('a value can only be the first command of a pipeline');
  return { kind: 'operand', operand };
}

function checkCall(name: string, count: number): void {
  if (UNSUPPORTED_FUNCTIONS.has(name))
    throw new TemplateProblem(`function ${JSON.stringify(name)} is not supported yet`);
  const definition = TEMPLATE_FUNCTIONS.get(name);
  if (definition === undefined) throw new TemplateProblem(`function ${JSON.stringify(name)} not defined`);
  if (count < definition.min || count > definition.max) {
    const range = definition.min === definition.max ? `${definition.min}` : `${definition.min} to ${definition.max}`;
    throw new TemplateProblem(`wrong number of args for ${name}: want ${range} got ${count}`);
  }
}

function isOperandStart(parser: Parser): boolean {
  const token = peek(parser);
  if (token === undefined) return false;
  return (
    ['constant', 'field', 'variable', 'dot', 'word'].includes(token.kind) ||
    (token.kind === 'punctuation' && token.text === '(')
  );
}

function parseOperand(parser: Parser): Operand {
  const token = peek(parser)!;
  parser.next++;
  switch (token.kind) {
    case 'constant':
      return { kind: 'constant', value: token.value! };
    case 'dot':
      return { kind: 'field', variable: '.', path: [] };
    case 'field':
      return { kind: 'field', variable: '.', path: [token.text.slice(1), ...parsePath(parser)] };
    case 'variable':
      return { kind: 'field', variable: token.text, path: parsePath(parser) };
    case 'word':
      if (token.text === 'true' || token.text === 'false') return { kind: 'constant', value: token.text === 'true' };
      if (token.text === 'nil') return { kind: 'constant', value: null };
      // A function without arguments may be an argument itself: `len __line__`.
      checkCall(token.text, 0);
      return {
        kind: 'pipeline',
        pipeline: { assign: undefined, commands: [{ kind: 'call', name: token.text, args: [] }] },
        path: [],
      };
    default: {
      if (++parser.depth > MAX_DEPTH) throw new TemplateProblem(`nested deeper than ${MAX_DEPTH}`);
      const pipeline = parsePipeline(parser);
      parser.depth--;
      if (!acceptText(parser, ')')) throw new TemplateProblem('unclosed left paren');
      return { kind: 'pipeline', pipeline, path: parsePath(parser) };
    }
  }
}

function parsePath(parser: Parser): string[] {
  const path: string[] = [];
  while (peek(parser)?.kind === 'field') {
    path.push(peek(parser)!.text.slice(1));
    parser.next++;
  }
  return path;
}
