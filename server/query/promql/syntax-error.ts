import type { SyntaxNode, Tree } from '@lezer/common';
import type { BarographError } from '../../model/index.ts';
import { parseError } from './errors.ts';

/** What the parser was inside of, and what may stand there. */
const CONTEXTS: Readonly<Record<string, readonly [context: string, expected: string]>> = {
  LabelMatchers: ['label matching', 'a label name, "," or "}"'],
  UnquotedLabelMatcher: ['label matching', 'a matching operator and a string'],
  QuotedLabelMatcher: ['label matching', 'a matching operator and a string'],
  GroupingLabels: ['grouping opts', 'a label name, "," or ")"'],
  MatrixSelector: ['range selector', 'a duration and "]"'],
  SubqueryExpr: ['subquery selector', 'a duration and "]"'],
  DurationExpr: ['duration', 'a duration such as 5m, or an operator'],
  OffsetExpr: ['offset', 'a duration such as 5m'],
  OffsetDurationExpr: ['offset', 'a duration such as 5m'],
  StepInvariantExpr: ['@', 'a timestamp in seconds, start() or end()'],
  FunctionCallBody: ['arguments', 'an expression, "," or ")"'],
  AggregateExpr: ['aggregation', 'grouping labels or arguments in parentheses'],
  AggregateModifier: ['aggregation', 'labels in parentheses'],
  ParenExpr: ['parentheses', 'an expression and ")"'],
  BinaryExpr: ['binary expression', 'a matching modifier or an expression'],
  MatchingModifierClause: ['matching modifier', 'labels in parentheses'],
  UnaryExpr: ['expression', 'an expression after the sign'],
};

/**
 * The first syntax error of a parsed query, or `undefined` where there is none.
 * @param maxDepth expressions within each other that are accepted: far beyond it the parser gives up on what is right.
 */
export function syntaxError(query: string, tree: Tree, maxDepth: number): BarographError | undefined {
  let broken: SyntaxNode | undefined;
  tree.iterate({
    enter: (node) => {
      if (node.type.isError && broken === undefined) broken = node.node;
      return broken === undefined;
    },
  });
  if (!broken) return unterminated(query, tree);
  if (depthOf(tree) > maxDepth) {
    return parseError(query, { start: broken.from, end: broken.from }, `more than ${maxDepth} nested expressions`);
  }
  const rest = query.slice(broken.from);
  const found = broken.to > broken.from ? query.slice(broken.from, broken.to) : rest;
  const start = broken.from + (found.length - found.trimStart().length);
  const word = /[A-Za-z_:][\w:]*$/.exec(query.slice(0, broken.from).trimEnd())?.[0];
  if (word !== undefined && rest.trimStart().startsWith('(') && broken.parent?.name === 'VectorSelector') {
    const end = query.slice(0, broken.from).trimEnd().length;
    return parseError(query, { start: end - word.length, end }, `unknown function with name ${JSON.stringify(word)}`);
  }
  if (query.replace(/#[^\n]*/g, '').trim() === '')
    return parseError(query, { start: 0, end: 0 }, 'no expression found in input');
  const [context, expected] = contextOf(broken);
  const what = tokenAt(query, start);
  return parseError(query, { start, end: start }, `unexpected ${what} in ${context}, expected ${expected}`);
}

function depthOf(tree: Tree): number {
  let [depth, deepest] = [0, 0];
  tree.iterate({
    enter: () => {
      deepest = Math.max(deepest, ++depth);
    },
    leave: () => {
      depth--;
    },
  });
  return deepest;
}

/** The grammar accepts a string without its closing quote; Prometheus doesn't. */
function unterminated(query: string, tree: Tree): BarographError | undefined {
  let error: BarographError | undefined;
  tree.iterate({
    enter: ({ name, from, to }) => {
      const text = query.slice(from, to);
      if (name === 'StringLiteral' && !error && (text.length < 2 || !isClosed(text))) {
        error = parseError(query, { start: from, end: to }, 'unterminated quoted string');
      }
    },
  });
  return error;
}

function isClosed(text: string): boolean {
  const quote = text[0];
  if (text[text.length - 1] !== quote) return false;
  let backslashes = 0;
  while (text[text.length - 2 - backslashes] === '\\') backslashes++;
  return quote === '`' || backslashes % 2 === 0;
}

function contextOf(node: SyntaxNode): readonly [string, string] {
  for (let parent = node.parent; parent; parent = parent.parent) {
    const known = CONTEXTS[parent.name];
    if (known) return known;
  }
  return ['expression', node.prevSibling ? 'an operator or the end of input' : 'an expression'];
}

function tokenAt(query: string, offset: number): string {
  const rest = query.slice(offset);
  if (rest.trim() === '') return 'end of input';
  const token = /^(?:[A-Za-z_:][\w:]*|[\d.]+\w*|[=!<>]=|[=!]~|[\s\S])/.exec(rest)?.[0] ?? rest[0];
  if (/^[A-Za-z_:]/.test(token)) return `identifier ${JSON.stringify(token.slice(0, 40))}`;
  if (/^["'`]/.test(token)) return 'string';
  return /^[\d.]/.test(token) ? `number ${JSON.stringify(token.slice(0, 40))}` : JSON.stringify(token);
}
