import { RE2JS } from 're2js';
import { BarographError } from './error.ts';
import { type Labels, labelValue } from './labels.ts';
import { literalsOf, matchesGlob, type RegexShape, shapeOfRegex } from './regex-shape.ts';

/** How a matcher compares: equal, not equal, matches, does not match (RE2, anchored at both ends). */
export type MatchOp = '=' | '!=' | '=~' | '!~';

/** One condition on a label. A label that is absent has the value `''`. */
export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
  /** Whether a label's value satisfies the condition. */
  readonly matches: (value: string) => boolean;
  /**
   * The only values that can match, where they are few and known (`=`, or a regular expression that is an alternation
   * of literals); `undefined` where they aren't. An index looks these up instead of testing every value.
   */
  readonly values: readonly string[] | undefined;
  /** For `=~`: what every matching value begins with, where that is known; an index with ordered values looks no further. */
  readonly prefix?: string;
}

/**
 * Builds a matcher.
 * @throws BarographError `bad_regex` where `value` isn't a regular expression that RE2 accepts.
 */
export function createMatcher(name: string, op: MatchOp, value: string): Matcher {
  switch (op) {
    case '=':
      return { name, op, value, matches: (v) => v === value, values: [value] };
    case '!=':
      return { name, op, value, matches: (v) => v !== value, values: undefined };
    case '=~': {
      const shape = shapeOfRegex(value);
      const values = shape.globs && literalsOf(shape.globs);
      return { name, op, value, matches: anchoredTest(value, shape), values, prefix: shape.prefix };
    }
    case '!~': {
      const test = anchoredTest(value, shapeOfRegex(value));
      return { name, op, value, matches: (v) => !test(v), values: undefined };
    }
  }
}

/** Whether a label set satisfies every matcher. */
export function matchesAll(matchers: readonly Matcher[], labels: Labels): boolean {
  for (const matcher of matchers) if (!matcher.matches(labelValue(labels, matcher.name))) return false;
  return true;
}

/** Whether a matcher holds for an absent label, so that it can't narrow a search by itself. */
export function matchesEmpty(matcher: Matcher): boolean {
  return matcher.matches('');
}

/**
 * Compiles a regular expression (RE2 syntax, `.` matches newlines as in Prometheus) to a test for a match anywhere.
 * @throws BarographError `bad_regex`.
 */
export function compileRegex(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (cause) {
    throw new BarographError({
      code: 'bad_regex',
      status: 400,
      where: 'regular expression',
      got: JSON.stringify(pattern),
      fix: `write it in RE2 syntax (${cause instanceof Error ? cause.message : String(cause)})`,
      cause,
    });
  }
}

/** Expressions that are texts with gaps, which dashboards send most, are tested without the regex machine. */
function anchoredTest(pattern: string, { globs }: RegexShape): (value: string) => boolean {
  if (!globs) {
    const compiled = compileRegex(pattern);
    return (value) => compiled.matches(value);
  }
  const literals = literalsOf(globs);
  if (literals) {
    const set = new Set(literals);
    return (value) => set.has(value);
  }
  if (globs.length === 1) {
    const [glob] = globs;
    return (value) => matchesGlob(glob, value);
  }
  return (value) => {
    for (const glob of globs) if (matchesGlob(glob, value)) return true;
    return false;
  };
}
