import type { Trace } from '../api/otlp-json.ts';
import { SPAN_ATTRIBUTES } from '../api/tempo.ts';

/** What a request was, as its spans tell. */
export interface TraceFacts {
  /** Values of allowed labels that say which part of the fleet answered, such as a model and a region. */
  readonly where: readonly string[];
  /** What went wrong in OpenTelemetry's words (`error.type`), `error` where a span only failed, or nothing. */
  readonly failure: string | undefined;
}

const WHERE_LABELS = ['model_version', 'region'] as const;

/** Reads them off the spans, parents first. */
export function traceFacts(trace: Trace): TraceFacts {
  const where = WHERE_LABELS.map((label) => attributeOf(trace, SPAN_ATTRIBUTES[label]));
  const failed = trace.spans.filter((span) => span.failed);
  const type = failed.map((span) => span.attributes['error.type']).find((value) => value !== undefined);
  return {
    where: where.filter((value) => value !== undefined),
    failure: failed.length === 0 ? undefined : String(type ?? 'error'),
  };
}

function attributeOf(trace: Trace, names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const { attributes, resource } of trace.spans) {
      const value = attributes[name] ?? resource[name];
      if (value !== undefined && value !== '') return String(value);
    }
  }
  return undefined;
}
