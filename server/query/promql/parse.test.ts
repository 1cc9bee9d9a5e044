import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expr } from './ast.ts';
import { parsePromql } from './parse.ts';
import { printExpr } from './print.ts';

const ROOT = path.join(import.meta.dirname, '..', '..', '..');

/** An expression without its positions, so that only the meaning is compared. */
function meaning(expr: Expr): unknown {
  return JSON.parse(
    JSON.stringify(expr, (key, value) => {
      if (key === 'position') return undefined;
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
    }),
  );
}

/** Every query of the scripts in a folder that parses. */
function corpus(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const queries: string[] = [];
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.test'))) {
    const text = fs.readFileSync(path.join(folder, file), 'utf8');
    for (const [, query] of text.matchAll(/^eval\S*\s+(?:instant at \S+|range from \S+ to \S+ step \S+)\s+(.*)$/gm)) {
      queries.push(query);
    }
  }
  return queries;
}

function expectRoundTrip(query: string): void {
  const first = parsePromql(query);
  const printed = printExpr(first);
  expect(meaning(parsePromql(printed)), `${query} printed as ${printed}`).toEqual(meaning(first));
}

describe('print and parse', () => {
  it('round-trips our own scripts', () => {
    const queries = corpus(path.join(ROOT, 'conformance', 'promql'));
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) if (parses(query)) expectRoundTrip(query);
  });

  it("round-trips Prometheus's scripts", (context) => {
    const queries = corpus(path.join(ROOT, '..', 'shared', 'conformance', 'promql'));
    if (queries.length === 0) return context.skip("Prometheus's scripts do not lie beside this checkout");
    for (const query of queries) if (parses(query)) expectRoundTrip(query);
  });

  it('round-trips random expressions', () => {
    fc.assert(
      fc.property(vectorText(3), (query) => {
        // Precedence may put operands together whose types don't fit.
        fc.pre(parses(query));
        expectRoundTrip(query);
      }),
      { numRuns: 500 },
    );
  });
});

function parses(query: string): boolean {
  try {
    parsePromql(query);
    return true;
  } catch {
    return false;
  }
}

const label = fc.constantFrom('job', 'a', '"utf8.läbel"', 'le');
const value = fc.constantFrom('""', '"x"', "'it'", '`raw\\d`', '"\\u00e9\\n\\"q\\""');
const matcher = fc.tuple(label, fc.constantFrom('=', '!=', '=~', '!~'), value).map((parts) => parts.join(' '));
const duration = fc.constantFrom(
  '5m',
  '1h30m',
  '90',
  '0.5',
  '2 * 5m',
  'step() + 1s',
  'max_of(1m, range())',
  '(1m + 1m) ^ 1',
);
const modifiers = fc.constantFrom('', ' offset 5m', ' offset -1w', ' @ 12.345', ' @ start()', ' @ end() offset 1d');
const selector = fc
  .tuple(fc.constantFrom('up', 'a:b', ''), fc.array(matcher, { maxLength: 3 }))
  .map(([name, list]) => `${name}{${[...(name === '' ? ['a="b"'] : []), ...list].join(',')}}`);

function scalarText(depth: number): fc.Arbitrary<string> {
  const leaf = fc.constantFrom('1', '-2.5', '0x1F', '1e-3', 'Inf', 'NaN', '1_000', '5m', 'time()', 'pi()', '2.');
  if (depth === 0) return leaf;
  const inner = scalarText(depth - 1);
  return fc.oneof(
    leaf,
    fc.tuple(inner, fc.constantFrom('+', '-', '*', '/', '%', '^', 'atan2', '> bool'), inner).map((p) => p.join(' ')),
    inner.map((text) => `-${text}`),
    inner.map((text) => `(${text})`),
    fc.tuple(inner, inner).map(([a, b]) => `min_of(${a}, ${b})`),
    vectorText(depth - 1).map((text) => `scalar(${text})`),
  );
}

function vectorText(depth: number): fc.Arbitrary<string> {
  const leaf = fc.tuple(selector, modifiers).map((parts) => parts.join(''));
  if (depth === 0) return leaf;
  const inner = vectorText(depth - 1);
  const range = fc.tuple(selector, duration, modifiers).map(([text, d, m]) => `${text}[${d}]${m}`);
  const subquery = fc.tuple(inner, duration, fc.constantFrom('', '1m'), modifiers).map(([text, d, s, m]) => {
    return `(${text})[${d}:${s}]${m}`;
  });
  const matching = fc.constantFrom('', ' on (job)', ' ignoring (a, le)', ' on () group_left (a)');
  return fc.oneof(
    leaf,
    fc.oneof(range, subquery).map((text) => `rate(${text})`),
    fc.tuple(scalarText(1), fc.oneof(range, subquery)).map(([q, text]) => `quantile_over_time(${q}, ${text})`),
    fc.tuple(inner, fc.constantFrom('+', '*', '^', '== bool', '>', '</'), matching, inner).map((p) => p.join(' ')),
    fc.tuple(inner, fc.constantFrom('and', 'or', 'unless on (job)'), inner).map((p) => p.join(' ')),
    fc.tuple(inner, scalarText(1)).map(([a, b]) => `${a} + ${b}`),
    fc.tuple(inner, inner).map(([a, b]) => `${a} + on (job) fill_left (0) fill_right (NaN) ${b}`),
    inner.map((text) => `-${text}`),
    inner.map((text) => `sum by (job, "utf8.läbel") (${text})`),
    inner.map((text) => `avg without () (${text})`),
    fc.tuple(scalarText(1), inner).map(([k, text]) => `topk(${k}, ${text})`),
    inner.map((text) => `count_values("x", ${text})`),
    inner.map((text) => `label_replace(${text}, "a", "$1", "b", "(.*)")`),
  );
}

describe('parse errors', () => {
  it.each([
    ['', '1:1: parse error: no expression found in input'],
    ['sum(a', '1:6: parse error: unexpected end of input in arguments, expected an expression, "," or ")"'],
    ['a{', '1:3: parse error: unexpected end of input in label matching, expected a label name, "," or "}"'],
    ['a[5m', '1:5: parse error: unexpected end of input in range selector, expected a duration and "]"'],
    ['a\n  b', '2:3: parse error: unexpected identifier "b" in expression, expected an operator or the end of input'],
    ['foo(1)', '1:1: parse error: unknown function with name "foo"'],
    ['"abc', '1:1: parse error: unterminated quoted string'],
    ['rate(a)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
    ['a[0s]', '1:3: parse error: duration must be greater than 0'],
    ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['1 == 1', '1:1: parse error: comparisons between scalars must use BOOL modifier'],
    ['-a[5m]', '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector'],
    ['a + * b', '1:5: parse error: unexpected "*" in binary expression'],
    ['a @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
    ['start_timestamp(a)', '1:1: parse error: the function "start_timestamp" is not supported'],
    ['a{b=~"("}', '1:1: parse error: regular expression: got "("'],
  ])('%j is refused with its place', (query, message) => {
    expect(() => parsePromql(query)).toThrow(message);
  });

  it('no text breaks the parser otherwise', () => {
    const pieces = fc.constantFrom(
      'a',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '5m',
      ':',
      '"',
      ',',
      '=',
      'sum',
      'by',
      'offset',
      '@',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 12 }), (parts) => {
        try {
          parsePromql(parts.join(' '));
        } catch (error) {
          expect((error as { code: string }).code).toBe('promql_parse');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('deep nesting is refused before it exhausts the stack', () => {
    expect(() => parsePromql(`${'('.repeat(600)}a${')'.repeat(600)}`)).toThrow('nested');
  });

  it.each([
    ['a chain of operators', `a${' + a'.repeat(660)}`],
    ['a longer one', `a${' + a'.repeat(20_000)}`],
    ['parentheses', `${'('.repeat(3000)}a${')'.repeat(3000)}`],
    ['signs', `${'-'.repeat(3000)}a`],
  ])('says of %s that is too deep that it is too deep', (_what, query) => {
    expect(() => parsePromql(query)).toThrow(/more than 500 nested expressions/);
  });
});
