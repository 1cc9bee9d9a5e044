import { BarographError } from '../../model/index.ts';

/** Turns an offset in a query (UTF-16 code units) into `line:column`, both counted from 1. */
export function positionAt(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return `${before.split('\n').length}:${offset - lineStart + 1}`;
}

/**
 * An error of syntax. The words after the position follow Loki's (`syntax error: unexpected X, expecting Y`), which
 * people search the web for.
 */
export function syntaxError(text: string, offset: number, unexpected: string, expecting?: string): BarographError {
  const tail = expecting === undefined ? '' : `, expecting ${expecting}`;
  return new BarographError({
    code: 'logql_syntax',
    status: 400,
    where: `${positionAt(text, offset)}: parse error: syntax error: unexpected ${unexpected}${tail}`,
  });
}

/** An error of meaning in a query that is well formed: `problem` says what, `fix` what to write instead. */
export function invalidQuery(position: string, problem: string, fix?: string, cause?: unknown): BarographError {
  return new BarographError({
    code: 'logql_invalid',
    status: 400,
    where: `${position}: parse error: ${problem}`,
    fix,
    cause,
  });
}

/** A part of the language that this engine doesn't know yet. */
export function unsupportedQuery(position: string, what: string, accepted: string): BarographError {
  return new BarographError({
    code: 'logql_unsupported',
    status: 400,
    where: `${position}: not supported yet`,
    got: what,
    accepted,
  });
}

/** A limit that a query ran into: which, how much there was, and what to do. */
export function limitError(what: string, got: string, limit: number, fix: string): BarographError {
  return new BarographError({ code: 'query_limit', status: 422, where: what, got, accepted: `at most ${limit}`, fix });
}

/** The query's request went away. */
export function cancelledError(): BarographError {
  return new BarographError({ code: 'cancelled', status: 499, where: 'LogQL query', got: 'a cancellation' });
}

/**
 * A stage failed on a line that reached a metric. The line's labels are left out: they are content. The words are Loki's,
 * and so is the way out.
 */
export function pipelineError(kind: string, details: string): BarographError {
  return new BarographError({
    code: 'logql_pipeline',
    status: 400,
    where: `pipeline error: ${JSON.stringify(kind)} for a line: ${JSON.stringify(details)}`,
    fix: `use a label filter to skip this error (| __error__!=${JSON.stringify(kind)}) or all errors (| __error__=""), also after unwrap`,
  });
}
