/** What an error of an exporter tells: where, what came, what is accepted, what to change. */
export interface ExporterErrorParts {
  /** A stable identifier. */
  readonly code: 'usage' | 'unreachable' | 'failed' | 'timeout' | 'malformed' | 'too_large' | 'library_missing';
  /** The place: a flag, a source, a file. */
  readonly where: string;
  /** What was received, shortened. */
  readonly got?: string;
  readonly accepted?: string;
  /** What to change. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The exporters' only error class; callers test `error.code`. */
export class ExporterError extends Error {
  readonly code: ExporterErrorParts['code'];

  constructor(parts: ExporterErrorParts) {
    let text = parts.where;
    if (parts.got !== undefined) text += `: got ${parts.got}`;
    if (parts.accepted !== undefined) text += `, accepted is ${parts.accepted}`;
    if (parts.fix !== undefined) text += `; ${parts.fix}`;
    super(text, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = 'ExporterError';
    this.code = parts.code;
  }
}

/** Ends a switch over a closed union. */
export function assertNever(value: never): never {
  throw new Error(`BUG: unexpected ${JSON.stringify(value)}`);
}
