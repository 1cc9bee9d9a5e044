import type {
  CompareOp,
  Extraction,
  LabelFormat,
  LabelMatch,
  LabelPick,
  LabelPredicate,
  LineFilterOp,
  LineOperand,
  Stage,
  UnwrapConversion,
} from './ast.ts';
import {
  accept,
  type Cursor,
  commaList,
  descend,
  expect,
  expectIdentifier,
  expectString,
  isAt,
  peek,
  take,
  unexpected,
} from './cursor.ts';
import { invalidQuery, positionAt } from './errors.ts';
import { convertFloat, parseBytes, parseDurationNs } from './literal.ts';

const LINE_FILTERS: ReadonlySet<string> = new Set<LineFilterOp>(['|=', '!=', '|~', '!~', '|>', '!>']);
const LABEL_OPS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~', '==', '>', '>=', '<', '<=']);
const CONVERSIONS: ReadonlySet<string> = new Set<UnwrapConversion>(['bytes', 'duration', 'duration_seconds']);

/** Reads `{a="b", …}`; `{}` is an empty list. */
export function parseMatchers(cursor: Cursor): LabelMatch[] {
  expect(cursor, '{');
  const matchers: LabelMatch[] = [];
  while (!isAt(cursor, '}')) {
    matchers.push(parseMatch(cursor));
    if (!accept(cursor, ',')) break;
  }
  expect(cursor, '}');
  return matchers;
}

function parseMatch(cursor: Cursor): LabelMatch {
  const name = expectIdentifier(cursor);
  const op = peek(cursor);
  if (!['=', '!=', '=~', '!~'].includes(op.text)) throw unexpected(cursor, '= or != or =~ or !~');
  take(cursor);
  return { name: name.text, op: op.text as LabelMatch['op'], value: expectString(cursor).value, at: name.at };
}

/** Whether a pipeline goes on at the cursor. */
export function isStageStart(cursor: Cursor): boolean {
  const token = peek(cursor);
  if (token.kind !== 'operator') return false;
  if (token.text === '|') return true;
  // `!=` and its kin compare metrics too; only a text after it makes it a filter of lines.
  return LINE_FILTERS.has(token.text) && (peek(cursor, 1).kind === 'string' || isAt(cursor, 'ip', 1));
}

/** Reads the stages of a pipeline; none is an empty list. */
export function parseStages(cursor: Cursor): Stage[] {
  const stages: Stage[] = [];
  while (isStageStart(cursor)) {
    if (accept(cursor, '|')) stages.push(parsePipeStage(cursor));
    else stages.push(parseLineFilter(cursor));
  }
  // Here Loki's users most often forget the quotes; say what would have been a filter.
  if (peek(cursor).kind === 'operator' && ['|=', '|~', '|>', '!>'].includes(peek(cursor).text)) {
    take(cursor);
    throw unexpected(cursor, 'STRING or ip(…)');
  }
  return stages;
}

function parseLineFilter(cursor: Cursor): Stage {
  const token = take(cursor);
  const op = token.text as LineFilterOp;
  const operands = [parseLineOperand(cursor)];
  while (isAt(cursor, 'or')) {
    take(cursor);
    operands.push(parseLineOperand(cursor));
  }
  return { kind: 'line_filter', op, operands, at: token.at };
}

function parseLineOperand(cursor: Cursor): LineOperand {
  const at = peek(cursor).at;
  if (!isAt(cursor, 'ip')) return { kind: 'text', value: expectString(cursor).value, at };
  return { kind: 'ip', value: parseIpCall(cursor), at };
}

function parseIpCall(cursor: Cursor): string {
  expect(cursor, 'ip');
  expect(cursor, '(');
  const { value } = expectString(cursor);
  expect(cursor, ')');
  return value;
}

function parsePipeStage(cursor: Cursor): Stage {
  const token = peek(cursor);
  const { at } = token;
  // A word before a comparison is a label, whatever it is called.
  const isLabel = peek(cursor, 1).kind === 'operator' && LABEL_OPS.has(peek(cursor, 1).text);
  if (isLabel || isAt(cursor, '(')) return { kind: 'label_filter', predicate: parsePredicate(cursor), at };
  if (token.kind !== 'identifier') throw unexpected(cursor, 'a parser, a label filter or another stage');
  take(cursor);
  switch (token.text) {
    case 'json':
      return { kind: 'json', extractions: parseExtractions(cursor), at };
    case 'logfmt':
      return parseLogfmt(cursor, at);
    case 'regexp':
    case 'pattern':
      return { kind: token.text, expression: expectString(cursor).value, at };
    case 'unpack':
    case 'decolorize':
      return { kind: token.text, at };
    case 'line_format':
      return { kind: 'line_format', template: expectString(cursor).value, at };
    case 'label_format':
      return { kind: 'label_format', formats: commaList(cursor, parseLabelFormat), at };
    case 'drop':
    case 'keep':
      return { kind: token.text, labels: commaList(cursor, parsePick), at };
    case 'unwrap':
      return parseUnwrap(cursor, at);
    default:
      throw unexpected(
        cursor,
        `a comparison after the label ${token.text}, or one of the stages json, logfmt, regexp, pattern, \
unpack, line_format, label_format, drop, keep, decolorize, unwrap`,
      );
  }
}

function parseExtractions(cursor: Cursor): Extraction[] {
  return peek(cursor).kind === 'identifier' ? commaList(cursor, parseExtraction) : [];
}

function parseExtraction(cursor: Cursor): Extraction {
  const name = expectIdentifier(cursor);
  const path = accept(cursor, '=') ? expectString(cursor).value : name.text;
  return { name: name.text, path, at: name.at };
}

function parseLogfmt(cursor: Cursor, at: number): Stage {
  let [strict, keepEmpty] = [false, false];
  while (peek(cursor).kind === 'flag') {
    if (peek(cursor).text === '--strict') strict = true;
    else if (peek(cursor).text === '--keep-empty') keepEmpty = true;
    else throw unexpected(cursor, '--strict or --keep-empty');
    take(cursor);
  }
  return { kind: 'logfmt', strict, keepEmpty, extractions: parseExtractions(cursor), at };
}

function parseLabelFormat(cursor: Cursor): LabelFormat {
  const to = expectIdentifier(cursor);
  expect(cursor, '=');
  const token = peek(cursor);
  if (token.kind === 'string') {
    take(cursor);
    return { kind: 'template', to: to.text, template: token.value, at: to.at };
  }
  if (token.kind !== 'identifier') throw unexpected(cursor, 'IDENTIFIER or STRING');
  return { kind: 'rename', to: to.text, from: take(cursor).text, at: to.at };
}

function parsePick(cursor: Cursor): LabelPick {
  const next = peek(cursor, 1);
  if (next.kind === 'operator' && LABEL_OPS.has(next.text)) {
    const match = parseMatch(cursor);
    return { name: match.name, match };
  }
  return { name: expectIdentifier(cursor).text, match: undefined };
}

function parseUnwrap(cursor: Cursor, at: number): Stage {
  const word = expectIdentifier(cursor);
  if (!accept(cursor, '(')) return { kind: 'unwrap', label: word.text, conversion: 'number', at };
  if (!CONVERSIONS.has(word.text)) {
    throw invalidQuery(
      positionAt(cursor.text, word.at),
      `unknown conversion ${word.text}`,
      'use bytes, duration or duration_seconds',
    );
  }
  const label = expectIdentifier(cursor).text;
  expect(cursor, ')');
  return { kind: 'unwrap', label, conversion: word.text as UnwrapConversion, at };
}

/** `or` binds least; `and`, a comma and mere juxtaposition are the same. */
function parsePredicate(cursor: Cursor): LabelPredicate {
  let left = parseConjunction(cursor);
  while (accept(cursor, 'or')) left = { kind: 'or', left, right: parseConjunction(cursor) };
  return left;
}

function parseConjunction(cursor: Cursor): LabelPredicate {
  let left = parseComparison(cursor);
  for (;;) {
    const joined = accept(cursor, 'and') || accept(cursor, ',');
    const next = peek(cursor, 1);
    const isNext =
      isAt(cursor, '(') || (peek(cursor).kind === 'identifier' && next.kind === 'operator' && LABEL_OPS.has(next.text));
    if (!joined && !isNext) return left;
    left = { kind: 'and', left, right: parseComparison(cursor) };
  }
}

function parseComparison(cursor: Cursor): LabelPredicate {
  if (accept(cursor, '(')) {
    const inner = descend(cursor, parsePredicate);
    expect(cursor, ')');
    return inner;
  }
  const name = expectIdentifier(cursor);
  const op = peek(cursor);
  if (op.kind !== 'operator' || !LABEL_OPS.has(op.text)) throw unexpected(cursor, 'a comparison such as = or >=');
  take(cursor);
  const value = peek(cursor);
  const textual = op.text === '=' || op.text === '!=' || op.text === '=~' || op.text === '!~';
  if (textual && value.kind === 'string') {
    take(cursor);
    return { kind: 'string', match: { name: name.text, op: op.text, value: value.value, at: name.at } as LabelMatch };
  }
  if (op.text === '=~' || op.text === '!~') throw unexpected(cursor, 'STRING');
  if ((op.text === '=' || op.text === '!=') && isAt(cursor, 'ip') && isAt(cursor, '(', 1)) {
    return { kind: 'ip', name: name.text, op: op.text, pattern: parseIpCall(cursor), at: name.at };
  }
  const compare = op.text === '=' ? '==' : (op.text as CompareOp);
  return { kind: 'compare', name: name.text, op: compare, ...parseAmount(cursor, textual), at: name.at };
}

function parseAmount(
  cursor: Cursor,
  textual: boolean,
): { unit: 'number' | 'duration' | 'bytes'; value: number; text: string } {
  const sign = accept(cursor, '-') ? '-' : accept(cursor, '+') ? '+' : '';
  const factor = sign === '-' ? -1 : 1;
  const token = peek(cursor);
  const text = sign === '+' ? token.text : sign + token.text;
  switch (token.kind) {
    case 'duration':
      take(cursor);
      return { unit: 'duration', value: factor * Number(parseDurationNs(token.text)), text };
    case 'bytes':
      take(cursor);
      return { unit: 'bytes', value: factor * parseBytes(token.text)!, text };
    case 'number': {
      const number = convertFloat(token.text);
      if (!('value' in number) || !Number.isFinite(number.value)) {
        throw invalidQuery(positionAt(cursor.text, token.at), `unable to parse literal as a float: ${token.text}`);
      }
      take(cursor);
      return { unit: 'number', value: factor * number.value, text };
    }
    default:
      throw unexpected(cursor, `${textual ? 'STRING, ' : ''}NUMBER, DURATION or BYTES`);
  }
}
