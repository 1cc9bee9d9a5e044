import { TEMPLATE_FUNCTIONS } from './template-functions.ts';

/** An expression of a template. */
export type TemplateExpr =
  | { readonly kind: 'literal'; readonly value: string | number | bigint | boolean | null }
  | { readonly kind: 'dot'; readonly fields: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly fields: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly TemplateExpr[] }
  | { readonly kind: 'fields'; readonly of: TemplateExpr; readonly fields: readonly string[] };

/** A part of a template. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'show'; readonly expr: TemplateExpr }
  | { readonly kind: 'assign'; readonly name: string; readonly declares: boolean; readonly expr: TemplateExpr }
  | {
      readonly kind: 'if' | 'with';
      readonly variable?: string;
      readonly expr: TemplateExpr;
      readonly body: TemplateNode[];
      readonly otherwise: TemplateNode[];
    }
  | {
      readonly kind: 'range';
      readonly variables: readonly string[];
      readonly expr: TemplateExpr;
      readonly body: TemplateNode[];
      readonly otherwise: TemplateNode[];
    };

/** What Prometheus declares before each template. */
const GIVEN = ['$', '$labels', '$externalLabels', '$externalURL', '$value'];
const TOKEN =
  /\s+|"(?:[^"\\\n]|\\.)*"|`[^`]*`|:=|\$[A-Za-z0-9_]*(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[A-Za-z_]\w*|[()|,=.]/gy;
const MAX_DEPTH = 50;
/** Functions that a rule's template may call in Prometheus, and that aren't here yet. */
const NOT_YET = new Set(
  'query first label value strvalue sortByLabel args tmpl safeHtml reReplaceAll graphLink tableLink externalURL pathPrefix stripDomain toTime now toDuration urlQueryEscape index println html js urlquery slice call'.split(
    ' ',
  ),
);

/**
 * Parses a template of Prometheus's: Go's text/template without `define`, `template`, `block`, `break`, `continue`.
 * @throws Error with what is wrong; it quotes names of functions and variables only.
 */
export function parseTemplate(text: string): TemplateNode[] {
  if (!text.includes('{{')) return [{ kind: 'text', text }];
  const parser = new TemplateParser(text);
  const nodes = parser.nodes([...GIVEN], 0);
  if (parser.ended) throw new Error(`unexpected {{${parser.ended}}}`);
  return nodes;
}

class TemplateParser {
  /** The word that ended the last list of nodes: `end` or `else`, '' at the end of the text. */
  ended = '';
  /** What stands after `else`. */
  #afterElse: string[] = [];
  readonly #text: string;
  #pos = 0;
  #trims = false;

  constructor(text: string) {
    this.#text = text;
  }

  nodes(scope: string[], depth: number): TemplateNode[] {
    if (depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} nested actions`);
    const out: TemplateNode[] = [];
    for (;;) {
      const tokens = this.#nextAction(out);
      if (tokens === undefined) {
        this.ended = '';
        return out;
      }
      const [word] = tokens;
      if (word === 'end' || word === 'else') {
        this.ended = word;
        this.#afterElse = tokens.slice(1);
        if (word === 'end' && tokens.length > 1) throw new Error('unexpected words after end');
        return out;
      }
      if (word === 'if' || word === 'with' || word === 'range')
        out.push(this.#block(word, tokens.slice(1), scope, depth));
      else out.push(simpleAction(tokens, scope));
    }
  }

  #block(word: 'if' | 'with' | 'range', tokens: string[], scope: string[], depth: number): TemplateNode {
    const inner = [...scope];
    const { variables, expr } = controlHead(word, tokens, inner);
    const body = this.nodes([...inner], depth + 1);
    let otherwise: TemplateNode[] = [];
    if (this.ended === 'else') {
      const [next, ...rest] = this.#afterElse;
      if (next === undefined) otherwise = this.nodes([...inner], depth + 1);
      else if (next === word && word !== 'range')
        return {
          kind: word,
          variable: variables[0],
          expr,
          body,
          otherwise: [this.#block(word, rest, inner, depth + 1)],
        };
      else throw new Error('unexpected words after else');
    }
    if (this.ended !== 'end') throw new Error(`{{${word}}} without {{end}}`);
    if (word === 'range') return { kind: 'range', variables, expr, body, otherwise };
    return { kind: word, variable: variables[0], expr, body, otherwise };
  }

  /** Takes text up to the next action into `out`, and gives the action's tokens. */
  #nextAction(out: TemplateNode[]): string[] | undefined {
    for (;;) {
      const open = this.#text.indexOf('{{', this.#pos);
      let text = this.#text.slice(this.#pos, open < 0 ? undefined : open);
      if (this.#trims) text = text.trimStart();
      this.#trims = false;
      if (open < 0) {
        this.#pos = this.#text.length;
        if (text !== '') out.push({ kind: 'text', text });
        return undefined;
      }
      let at = open + 2;
      if (/^-\s/.test(this.#text.slice(at, at + 2))) {
        text = text.trimEnd();
        at += 2;
      }
      if (text !== '') out.push({ kind: 'text', text });
      const comment = /\/\*[\s\S]*?\*\/(\s-)?\}\}/y;
      comment.lastIndex = at;
      const matched = comment.exec(this.#text);
      if (matched) {
        this.#pos = at + matched[0].length;
        this.#trims = matched[1] !== undefined;
        continue;
      }
      return this.#tokens(at);
    }
  }

  #tokens(from: number): string[] {
    const tokens: string[] = [];
    let at = from;
    for (;;) {
      const end = /\s+-\}\}|\}\}/y;
      end.lastIndex = at;
      const closed = end.exec(this.#text);
      if (closed) {
        this.#pos = at + closed[0].length;
        this.#trims = closed[0].length > 2;
        if (tokens.every((token) => token.trim() === '')) throw new Error('missing value for command');
        return withoutSpaces(tokens);
      }
      TOKEN.lastIndex = at;
      const token = TOKEN.exec(this.#text)?.[0];
      if (token === undefined)
        throw new Error(at >= this.#text.length ? 'an action without }}' : 'an unexpected character in an action');
      tokens.push(token);
      at += token.length;
    }
  }
}

/** Drops spaces; a field right after a parenthesis belongs to it, one after a space is an operand, which gets a mark. */
function withoutSpaces(tokens: readonly string[]): string[] {
  return tokens.flatMap((token, i) => {
    if (token.trim() === '') return [];
    return token.startsWith('.') && token.length > 1 && tokens[i - 1] === ')' ? [`)${token}`] : [token];
  });
}

function controlHead(
  word: string,
  tokens: readonly string[],
  scope: string[],
): { variables: string[]; expr: TemplateExpr } {
  const at = tokens.indexOf(':=');
  if (at < 0) return { variables: [], expr: pipeline(tokens, scope) };
  const names = tokens.slice(0, at).filter((token) => token !== ',');
  const fits = names.length === 1 || (names.length === 2 && word === 'range');
  if (!fits || names.some((name) => !/^\$\w+$/.test(name))) throw new Error(`a wrong declaration in {{${word}}}`);
  const expr = pipeline(tokens.slice(at + 1), scope);
  scope.push(...names);
  return { variables: names, expr };
}

function simpleAction(tokens: readonly string[], scope: string[]): TemplateNode {
  const [name, sign] = tokens;
  if (['define', 'template', 'block', 'break', 'continue'].includes(name))
    throw new Error(`{{${name}}} is not supported`);
  if (sign !== ':=' && sign !== '=') return { kind: 'show', expr: pipeline(tokens, scope) };
  if (!/^\$\w+$/.test(name)) throw new Error('a wrong assignment');
  const declares = sign === ':=';
  if (!declares && !scope.includes(name)) throw new Error(`undefined variable ${JSON.stringify(name)}`);
  const expr = pipeline(tokens.slice(2), scope);
  if (declares) scope.push(name);
  return { kind: 'assign', name, declares, expr };
}

/** `a | f x | g` is `g (f x a)`. */
function pipeline(tokens: readonly string[], scope: readonly string[]): TemplateExpr {
  const commands: string[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token === '(') depth++;
    if (token.startsWith(')')) depth--;
    if (token === '|' && depth === 0) commands.push([]);
    else commands[commands.length - 1].push(token);
  }
  let result: TemplateExpr | undefined;
  for (const command of commands) result = commandExpr(command, scope, result);
  if (!result) throw new Error('missing value for command');
  return result;
}

function commandExpr(
  tokens: readonly string[],
  scope: readonly string[],
  piped: TemplateExpr | undefined,
): TemplateExpr {
  const [first] = tokens;
  if (first === undefined) throw new Error('missing value for command');
  const isCall = /^[A-Za-z_]/.test(first) && !['true', 'false', 'nil'].includes(first);
  const args = operands(isCall ? tokens.slice(1) : tokens, scope);
  if (isCall) {
    if (!TEMPLATE_FUNCTIONS.has(first)) throw notDefined(first);
    return { kind: 'call', name: first, args: piped ? [...args, piped] : args };
  }
  if (args.length !== 1 || piped) throw new Error('an argument was given to something that is no function');
  return args[0];
}

function notDefined(name: string): Error {
  return new Error(`function ${JSON.stringify(name)} ${NOT_YET.has(name) ? 'is not supported yet' : 'not defined'}`);
}

function operands(tokens: readonly string[], scope: readonly string[]): TemplateExpr[] {
  const out: TemplateExpr[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] !== '(') {
      out.push(operand(tokens[i], scope));
      continue;
    }
    let depth = 1;
    let end = i + 1;
    for (; end < tokens.length; end++) {
      if (tokens[end] === '(') depth++;
      if (tokens[end].startsWith(')') && --depth === 0) break;
    }
    if (depth > 0) throw new Error('an unclosed parenthesis');
    const inner = pipeline(tokens.slice(i + 1, end), scope);
    const fields = tokens[end].slice(2);
    // `)` alone, or `).Name`, which withoutSpaces has put together.
    out.push(fields === '' ? inner : { kind: 'fields', of: inner, fields: fields.split('.') });
    i = end;
    if (tokens[end + 1]?.startsWith(').')) {
      out.push({ kind: 'fields', of: out.pop() as TemplateExpr, fields: tokens[end + 1].slice(2).split('.') });
      i++;
    }
  }
  return out;
}

function operand(token: string, scope: readonly string[]): TemplateExpr {
  if (token.startsWith('"')) return { kind: 'literal', value: goString(token) };
  if (token.startsWith('`')) return { kind: 'literal', value: token.slice(1, -1) };
  if (token === '.') return { kind: 'dot', fields: [] };
  if (token.startsWith('$')) {
    const [name, ...fields] = token.split('.');
    if (!scope.includes(name)) throw new Error(`undefined variable ${JSON.stringify(name)}`);
    return { kind: 'variable', name, fields };
  }
  if (/^\.[A-Za-z_]/.test(token)) return { kind: 'dot', fields: token.slice(1).split('.') };
  if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
  if (token === 'nil') return { kind: 'literal', value: null };
  if (/^[-+]?\d[\d_]*$/.test(token)) return { kind: 'literal', value: BigInt(token.replace(/^\+|_/g, '')) };
  if (/^[-+]?[\d.]/.test(token)) return { kind: 'literal', value: Number(token.replaceAll('_', '')) };
  if (TEMPLATE_FUNCTIONS.has(token)) return { kind: 'call', name: token, args: [] };
  throw new Error(
    /^\w+$/.test(token) ? `function ${JSON.stringify(token)} not defined` : 'an unexpected word in an action',
  );
}

function goString(token: string): string {
  try {
    return JSON.parse(
      token
        .replace(/\\x([0-9a-f]{2})/gi, '\\u00$1')
        .replace(/\\a/g, '\\u0007')
        .replace(/\\v/g, '\\u000b'),
    ) as string;
  } catch {
    throw new Error('a string that is not quoted as in Go');
  }
}
