import type { Duration } from './ast.ts';
import { parseError } from './errors.ts';

/** What a duration may refer to. */
export interface DurationScope {
  /** The query's text, for errors. */
  readonly query: string;
  /** The step of the whole query, milliseconds; 0 for an instant query. */
  readonly stepMs: number;
  /** End minus start of the whole query, milliseconds. */
  readonly rangeMs: number;
}

/**
 * A duration in whole milliseconds.
 * @throws BarographError `promql_parse` where it divides by zero or is no finite number.
 */
export function durationMs(duration: Duration, scope: DurationScope): number {
  const ms = Math.round(seconds(duration, scope) * 1000);
  if (!Number.isSafeInteger(ms)) throw parseError(scope.query, duration.position, 'duration out of range');
  return ms;
}

/**
 * A duration of a range or a step, which must be positive.
 * @throws BarographError `promql_parse`.
 */
export function positiveDurationMs(duration: Duration, scope: DurationScope): number {
  const ms = durationMs(duration, scope);
  if (ms <= 0) throw parseError(scope.query, duration.position, 'duration must be greater than 0');
  return ms;
}

/** Whether a duration is the same for every query. */
export function isLiteralDuration(duration: Duration): boolean {
  switch (duration.kind) {
    case 'literal':
      return true;
    case 'step':
    case 'range':
      return false;
    case 'negated':
    case 'group':
      return isLiteralDuration(duration.of);
    case 'binary':
    case 'min':
    case 'max':
      return isLiteralDuration(duration.left) && isLiteralDuration(duration.right);
  }
}

function seconds(duration: Duration, scope: DurationScope): number {
  switch (duration.kind) {
    case 'literal':
      return duration.seconds;
    case 'step':
      return scope.stepMs / 1000;
    case 'range':
      return scope.rangeMs / 1000;
    case 'negated':
      return -seconds(duration.of, scope);
    case 'group':
      return seconds(duration.of, scope);
    case 'min':
      return Math.min(seconds(duration.left, scope), seconds(duration.right, scope));
    case 'max':
      return Math.max(seconds(duration.left, scope), seconds(duration.right, scope));
    case 'binary':
      return arithmetic(duration, scope);
  }
}

function arithmetic(duration: Extract<Duration, { kind: 'binary' }>, scope: DurationScope): number {
  const left = seconds(duration.left, scope);
  const right = seconds(duration.right, scope);
  switch (duration.op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '^':
      return left ** right;
    case '/':
      if (right === 0) throw parseError(scope.query, duration.position, 'division by zero');
      return left / right;
    case '%':
      if (right === 0) throw parseError(scope.query, duration.position, 'modulo by zero');
      return left % right;
  }
}
