import type { Span } from '../../model/index.ts';
import { unsupportedQuery } from './errors.ts';
import { compileTest } from './field.ts';
import { parseTraceql } from './parse.ts';
import { TraceView } from './trace-view.ts';

/**
 * The spans of one trace that pass a filter such as `{ status = error }`, and with `keepAncestors` also those on the way
 * from the root to them, so that what is left is a tree. An empty query passes every span. The order stays.
 * @throws BarographError `traceql_syntax`, `traceql_invalid`; `traceql_unsupported` for anything but one filter, as in Tempo.
 */
export function filterTrace(spans: readonly Span[], query: string, keepAncestors: boolean): Span[] {
  if (query.trim() === '' || spans.length === 0) return [...spans];
  const expr = parseTraceql(query);
  const stages = expr.kind === 'spans' ? expr.pipeline.stages : [];
  const [filter] = stages;
  if (stages.length !== 1 || filter.kind !== 'filter')
    throw unsupportedQuery(
      'a pipeline or relation as the filter of one trace',
      'one filter such as { status = error }',
    );
  const test = compileTest(filter.expr);
  const trace = new TraceView(spans);
  const kept = new Set(spans.filter((span) => test(span, trace)));
  if (keepAncestors) {
    for (const span of [...kept]) {
      // What is kept already has its ancestors, which also ends the walk in a ring of parents.
      for (let at = trace.parentOf(span); at !== undefined && !kept.has(at); at = trace.parentOf(at)) kept.add(at);
    }
  }
  return spans.filter((span) => kept.has(span));
}
