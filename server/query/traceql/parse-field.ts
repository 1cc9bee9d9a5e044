import type { AttributeField, FieldExpr, FieldOp, Intrinsic, IntrinsicField, Static } from './ast.ts';
import { type Cursor, commaList, descend, expect, isAt, peek, take, unexpected } from './cursor.ts';

/** Intrinsics by every spelling. */
const INTRINSICS: Readonly<Record<string, Intrinsic>> = {
  duration: 'span:duration',
  name: 'span:name',
  kind: 'span:kind',
  status: 'span:status',
  statusMessage: 'span:statusMessage',
  childCount: 'span:childCount',
  traceDuration: 'trace:duration',
  rootName: 'trace:rootName',
  rootServiceName: 'trace:rootService',
  parent: 'parent',
  nestedSetLeft: 'nestedSetLeft',
  nestedSetRight: 'nestedSetRight',
  nestedSetParent: 'nestedSetParent',
  'span:duration': 'span:duration',
  'span:name': 'span:name',
  'span:kind': 'span:kind',
  'span:status': 'span:status',
  'span:statusMessage': 'span:statusMessage',
  'span:id': 'span:id',
  'span:parentID': 'span:parentID',
  'span:childCount': 'span:childCount',
  'trace:duration': 'trace:duration',
  'trace:rootName': 'trace:rootName',
  'trace:rootService': 'trace:rootService',
  'trace:id': 'trace:id',
  'event:name': 'event:name',
  'event:timeSinceStart': 'event:timeSinceStart',
  'link:traceID': 'link:traceID',
  'link:spanID': 'link:spanID',
  'instrumentation:name': 'instrumentation:name',
  'instrumentation:version': 'instrumentation:version',
};

const WORDS: Readonly<Record<string, Static>> = {
  true: { kind: 'bool', value: true },
  false: { kind: 'bool', value: false },
  nil: { kind: 'nil' },
  ok: { kind: 'status', value: 'ok' },
  error: { kind: 'status', value: 'error' },
  unset: { kind: 'status', value: 'unset' },
  unspecified: { kind: 'span_kind', value: 'unspecified' },
  internal: { kind: 'span_kind', value: 'internal' },
  server: { kind: 'span_kind', value: 'server' },
  client: { kind: 'span_kind', value: 'client' },
  producer: { kind: 'span_kind', value: 'producer' },
  consumer: { kind: 'span_kind', value: 'consumer' },
};

/** Operators by how strongly they bind. `&&` and `||` bind alike, from left to right, as in Tempo; `^` groups to the right. */
const STRENGTH: Readonly<Record<string, number>> = {
  '&&': 1,
  '||': 1,
  '=': 2,
  '!=': 2,
  '<': 2,
  '<=': 2,
  '>': 2,
  '>=': 2,
  '=~': 2,
  '!~': 2,
  '+': 3,
  '-': 3,
  '*': 5,
  '/': 5,
  '%': 5,
  '^': 6,
};
const UNARY_STRENGTH = 4;

/** Reads an expression over a span. */
export function parseField(cursor: Cursor, weakest = 0): FieldExpr {
  let left = descend(cursor, parseOperand);
  for (;;) {
    const token = peek(cursor);
    const strength = token.kind === 'operator' ? STRENGTH[token.text] : undefined;
    if (strength === undefined || strength <= weakest) return left;
    take(cursor);
    const right = descend(cursor, (c) => parseField(c, token.text === '^' ? strength - 1 : strength));
    left = { kind: 'binary', op: token.text as FieldOp, left, right, at: token.at };
  }
}

function parseOperand(cursor: Cursor): FieldExpr {
  const token = peek(cursor);
  if (isAt(cursor, '(')) {
    take(cursor);
    const inner = parseField(cursor);
    expect(cursor, ')');
    return inner;
  }
  if (isAt(cursor, '-') || isAt(cursor, '!')) {
    take(cursor);
    const operand = descend(cursor, (c) => parseField(c, UNARY_STRENGTH));
    return { kind: 'unary', op: token.text as '-' | '!', operand, at: token.at };
  }
  if (isAt(cursor, 'cidr') && isAt(cursor, '(', 1)) return parseCidr(cursor);
  const value = staticOf(cursor);
  if (value !== undefined) return { kind: 'static', value, at: token.at };
  return parseReference(cursor);
}

function parseCidr(cursor: Cursor): FieldExpr {
  const { at } = take(cursor);
  expect(cursor, '(');
  const operand = parseField(cursor);
  expect(cursor, ',');
  const networks = commaList(cursor, (c) => {
    const token = peek(c);
    if (token.kind !== 'string') throw unexpected(c, 'a network in quotes, such as "10.0.0.0/8"');
    return take(c).value as string;
  });
  expect(cursor, ')');
  return { kind: 'cidr', operand, networks, at };
}

/** Takes a constant if one is at the cursor. */
export function staticOf(cursor: Cursor): Static | undefined {
  const token = peek(cursor);
  switch (token.kind) {
    case 'string':
      take(cursor);
      return { kind: 'string', value: token.value as string };
    case 'int':
    case 'float':
    case 'duration':
      take(cursor);
      return { kind: token.kind, value: token.value as number, text: token.text };
    case 'word':
      if (!Object.hasOwn(WORDS, token.text)) return undefined;
      take(cursor);
      return WORDS[token.text];
    default:
      return undefined;
  }
}

/** Reads an attribute or an intrinsic. */
export function parseReference(cursor: Cursor): AttributeField | IntrinsicField {
  const token = peek(cursor);
  if (token.kind === 'attribute') {
    take(cursor);
    return { kind: 'attribute', ...token.attribute!, at: token.at };
  }
  if (token.kind === 'word' && Object.hasOwn(INTRINSICS, token.text)) {
    take(cursor);
    return { kind: 'intrinsic', name: INTRINSICS[token.text], at: token.at };
  }
  throw unexpected(cursor, 'an attribute such as .name or span.name, an intrinsic such as duration, or a value');
}
