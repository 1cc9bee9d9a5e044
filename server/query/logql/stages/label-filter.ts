import { RE2JS } from 're2js';
import { createMatcher, type Matcher } from '../../../model/index.ts';
import type { CompareOp, LabelMatch, LabelPredicate } from '../ast.ts';
import type { LineState } from '../line-state.ts';
import { type Conversion, convertBytes, convertDurationNs, convertFloat } from '../literal.ts';
import { containsIp, parseIpSet } from './ip.ts';
import { badIpPattern, compileRe2 } from './line-filter.ts';

/** Whether a line passes; may record that a value couldn't be converted, and then lets the line pass with the error. */
export type LabelTest = (state: LineState) => boolean;

/** Compiles a label filter. */
export function compileLabelFilter(predicate: LabelPredicate, position: (at: number) => string): LabelTest {
  switch (predicate.kind) {
    case 'string': {
      const { name } = predicate.match;
      const { matches } = compileMatch(predicate.match, position);
      return (state) => matches(state.get(name) ?? '');
    }
    case 'compare': {
      const { name, op, value } = predicate;
      const convert = { number: convertFloat, duration: convertDurationNs, bytes: convertBytes }[predicate.unit];
      return (state) => compareLabel(state, name, op, value, convert);
    }
    case 'ip': {
      const { name } = predicate;
      const set = parseIpSet(predicate.pattern);
      if (set === undefined) throw badIpPattern(predicate.pattern, position(predicate.at));
      const wanted = predicate.op === '=';
      return (state) => {
        // As in Loki, a line that failed before passes: only a filter on __error__ takes it away.
        if (state.error !== '') return true;
        const value = state.getLabel(name);
        return value !== undefined && containsIp(set, value) === wanted;
      };
    }
    case 'and': {
      const left = compileLabelFilter(predicate.left, position);
      const right = compileLabelFilter(predicate.right, position);
      // Both sides run, so that each may record its error.
      return (state) => {
        const passes = left(state);
        return right(state) && passes;
      };
    }
    case 'or': {
      const left = compileLabelFilter(predicate.left, position);
      const right = compileLabelFilter(predicate.right, position);
      return (state) => left(state) || right(state);
    }
  }
}

/** A matcher of the model, with its errors placed in the query. */
export function compileMatch(match: LabelMatch, position: (at: number) => string): Matcher {
  if (match.op === '=~' || match.op === '!~') compileRe2(match.value, RE2JS.DOTALL, position(match.at));
  return createMatcher(match.name, match.op, match.value);
}

function compareLabel(
  state: LineState,
  name: string,
  op: CompareOp,
  value: number,
  convert: (text: string) => Conversion,
): boolean {
  const text = state.getLabel(name);
  if (text === undefined) return false;
  const converted = convert(text);
  if ('problem' in converted) {
    state.fail('LabelFilterErr', `${converted.problem} in label ${name}`);
    return true;
  }
  return compareNumbers(op, converted.value, value);
}

/** Compares as IEEE 754 does. */
export function compareNumbers(op: CompareOp, left: number, right: number): boolean {
  switch (op) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
  }
}
