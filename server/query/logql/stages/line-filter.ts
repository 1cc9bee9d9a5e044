import { RE2JS } from 're2js';
import type { LineFilterOp, LineOperand } from '../ast.ts';
import { invalidQuery } from '../errors.ts';
import { containsIp, parseIpSet } from './ip.ts';
import { parsePattern, testPattern } from './pattern.ts';

/** Whether a line passes. */
export type LineTest = (line: string) => boolean;

/** Compiles a line filter: a positive one keeps lines that match any operand, a negative one drops them. */
export function compileLineFilter(
  op: LineFilterOp,
  operands: readonly LineOperand[],
  position: (at: number) => string,
): LineTest {
  const tests = operands.map((operand) => compileOperand(op, operand, position));
  const any: LineTest = tests.length === 1 ? tests[0] : (line) => tests.some((test) => test(line));
  return op[0] === '!' ? (line) => !any(line) : any;
}

function compileOperand(op: LineFilterOp, operand: LineOperand, position: (at: number) => string): LineTest {
  const { value, at } = operand;
  if (operand.kind === 'ip') {
    if (op !== '|=' && op !== '!=') {
      throw invalidQuery(position(at), `ip: invalid operation ${op}`, 'use |= ip(…) or != ip(…)');
    }
    const set = parseIpSet(value);
    if (set === undefined) throw badIpPattern(value, position(at));
    return (line) => containsIp(set, line);
  }
  switch (op) {
    case '|=':
    case '!=':
      return (line) => line.includes(value);
    case '|~':
    case '!~':
      return compileLineRegex(value, position(at));
    case '|>':
    case '!>': {
      const parts = parsePattern(value);
      if (typeof parts === 'string') throw invalidQuery(position(at), `pattern ${JSON.stringify(value)}: ${parts}`);
      if (parts.some((part) => 'capture' in part && part.capture !== '')) {
        throw invalidQuery(
          position(at),
          'named captures are not allowed in a line filter',
          'write <_>, or use | pattern',
        );
      }
      return (line) => testPattern(parts, line);
    }
  }
}

/** The error of a bad `ip(…)`. */
export function badIpPattern(pattern: string, position: string): Error {
  return invalidQuery(
    position,
    `ip: invalid pattern ${JSON.stringify(pattern)}`,
    'write an address, a range of two addresses with -, or a CIDR such as 10.0.0.0/8',
  );
}

/**
 * Compiles a regular expression over lines (RE2, matching anywhere, `.` not a newline). Alternations of literals, the
 * commonest filters, become searches for strings; they are several times faster than any regex machine.
 */
export function compileLineRegex(pattern: string, position: string): LineTest {
  const literals = /^[^\\.+*?()[\]{}^$]*$/.test(pattern) ? pattern.split('|') : undefined;
  if (literals?.length === 1) return (line) => line.includes(pattern);
  if (literals) return (line) => literals.some((literal) => line.includes(literal));
  const regex = compileRe2(pattern, 0, position);
  return (line) => regex.test(line);
}

/** Compiles with RE2; `flags` are RE2JS's. */
export function compileRe2(pattern: string, flags: number, position: string): RE2JS {
  try {
    return RE2JS.compile(pattern, flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidQuery(position, reason, 'write the regular expression in RE2 syntax', cause);
  }
}
