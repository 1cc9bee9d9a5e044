import { BarographError } from '../../model/index.ts';

/** Turns an offset in a query (UTF-16 code units) into `line:column`, both counted from 1. */
export function positionAt(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`;
}

/** An error of syntax: what stands there and what could. */
export function syntaxError(text: string, offset: number, unexpected: string, expecting?: string): BarographError {
  const tail = expecting === undefined ? '' : `, expecting ${expecting}`;
  return new BarographError({
    code: 'traceql_syntax',
    status: 400,
    where: `${positionAt(text, offset)}: parse error: syntax error: unexpected ${unexpected}${tail}`,
  });
}

/** An error of meaning in a query that is well formed. */
export function invalidQuery(position: string, problem: string, fix?: string, cause?: unknown): BarographError {
  return new BarographError({
    code: 'traceql_invalid',
    status: 400,
    where: `${position}: invalid TraceQL query: ${problem}`,
    fix,
    cause,
  });
}

/** A part of the language that this engine parses and doesn't evaluate yet. */
export function unsupportedQuery(what: string, accepted: string): BarographError {
  return new BarographError({
    code: 'traceql_unsupported',
    status: 400,
    where: 'TraceQL query: not supported yet',
    got: what,
    accepted,
  });
}

/** A limit that a query ran into; `knob` is the limit's name. */
export function limitError(what: string, got: string, knob: string, limit: number, fix: string): BarographError {
  const accepted = `at most ${limit} (${knob})`;
  return new BarographError({ code: 'query_limit', status: 422, where: what, got, accepted, fix });
}

/** The query's request went away. */
export function cancelledError(): BarographError {
  return new BarographError({ code: 'cancelled', status: 499, where: 'TraceQL query', got: 'a cancellation' });
}
