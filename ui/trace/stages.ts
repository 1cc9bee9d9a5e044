import { SPAN_STAGES, type SpanStageName } from '../generated/conventions.ts';

/** A step of the semantic path, or `other` for a span that is none and stands below none. */
export type StageName = SpanStageName | 'other';

/** What a span is recognised by. */
export interface NamedSpan {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/**
 * The stage of a span by itself: its operation first, since names are free text, then its name. Names end in `*` where
 * any rest may follow. `undefined` where neither says anything.
 */
export function stageOf(span: NamedSpan): SpanStageName | undefined {
  const operation = span.attributes['gen_ai.operation.name'];
  const name = span.name.toLowerCase();
  for (const stage of SPAN_STAGES) {
    if (stage.name === name) return stage.name;
    if (typeof operation === 'string' && stage.operations.includes(operation)) return stage.name;
  }
  return SPAN_STAGES.find((stage) => stage.names.some((pattern) => matchesName(pattern.toLowerCase(), name)))?.name;
}

function matchesName(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** Stages for reading. */
export function stageTitle(stage: StageName): string {
  return stage.replaceAll('_', ' ');
}
