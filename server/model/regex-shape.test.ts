import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { createMatcher } from './matcher.ts';
import { shapeOfRegex } from './regex-shape.ts';

const PIECE = fc.constantFrom(
  ...['a', 'b', 'ab', '-', '\\.', '\\-', '.', '.*', '.+', '.*?', '.+?', '|', '(', '(?:', ')', 'a*', 'b?', 'a+', '[ab]'],
  ...['\\d', 'ü', '𝕒', '^', '$', '(?i)', '\\Q|\\E', 'a{2}', '[|]'],
);
const PATTERN = fc.array(PIECE, { maxLength: 8 }).map((pieces) => pieces.join(''));
const VALUE = fc
  .array(fc.constantFrom('a', 'b', 'ab', '-', '.', 'A', '\n', 'ü', '𝕒', '|', '1'), { maxLength: 6 })
  .map((parts) => parts.join(''));

/** The expression as the regex machine has it, or `undefined` where it isn't one. */
function compiled(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch {
    return undefined;
  }
}

describe('the shape of a regular expression', () => {
  it('never changes what it matches', () => {
    fc.assert(
      fc.property(PATTERN, fc.array(VALUE, { minLength: 1, maxLength: 8 }), (pattern, values) => {
        const regex = compiled(pattern);
        if (!regex) return;
        const { matches, prefix = '', values: only } = createMatcher('l', '=~', pattern);
        const negated = createMatcher('l', '!~', pattern);
        for (const value of values) {
          const expected = regex.matches(value);
          expect(matches(value), `${pattern} on ${JSON.stringify(value)}`).toBe(expected);
          expect(negated.matches(value)).toBe(!expected);
          if (expected) expect(value.startsWith(prefix)).toBe(true);
          if (expected && only) expect(only).toContain(value);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses what the regex machine refuses', () => {
    fc.assert(
      fc.property(PATTERN, (pattern) => {
        if (compiled(pattern)) return;
        expect(() => createMatcher('l', '=~', pattern)).toThrow('regular expression');
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['a|b|c', ['a', 'b', 'c'], ''],
    ['api-(1|2)', ['api-1', 'api-2'], 'api-'],
    ['api\\.v1', ['api.v1'], 'api.v1'],
    ['', [''], ''],
    ['svc-.*', undefined, 'svc-'],
    ['svc-1.*|svc-2.*', undefined, 'svc-'],
    ['svc-[0-9]+', undefined, 'svc-'],
    ['ab?c', undefined, 'a'],
    ['a+b', undefined, 'a'],
    ['(?i)abc', undefined, ''],
    ['x|[y]', undefined, ''],
  ])('%s has the values %j and begins with %j', (pattern, values, prefix) => {
    const matcher = createMatcher('l', '=~', pattern);
    expect(matcher.values).toEqual(values);
    expect(shapeOfRegex(pattern).prefix).toBe(prefix);
  });
});
