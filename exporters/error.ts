/** The kinds of error, which are also the values of the label `reason` of the exporters' own metrics. */
export type ExporterErrorCode =
  // What the operator gave, or what the machine lacks.
  | 'usage'
  | 'bad_target'
  | 'bad_targets'
  | 'listen'
  | 'no_file'
  | 'no_service_account'
  | 'library_missing'
  // What was asked didn't answer.
  | 'unreachable'
  | 'timeout'
  | 'failed'
  | 'dns'
  | 'http_status'
  | 'bad_redirect'
  | 'otlp_rejected'
  // What it answered can't be used.
  | 'malformed'
  | 'bad_answer'
  | 'bad_exposition'
  | 'not_metrics'
  | 'unrecognised'
  | 'too_large'
  | 'too_many_series';

/** What an error of an exporter tells: where, what came, what is accepted, what to change. */
export interface ExporterErrorParts {
  readonly code: ExporterErrorCode;
  /** The place: a flag, a source, a file, a URL without its secrets. */
  readonly where: string;
  /** What was received, shortened; never a label's value or a body. */
  readonly got?: string;
  readonly accepted?: string;
  /** What to change. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The exporters' only error class; callers test `error.code`. */
export class ExporterError extends Error {
  override readonly name = 'ExporterError';
  readonly code: ExporterErrorCode;

  constructor({ code, where, got, accepted, fix, cause }: ExporterErrorParts) {
    let text = where;
    if (got !== undefined) text += `: got ${got}`;
    if (accepted !== undefined) text += `, accepted is ${accepted}`;
    if (fix !== undefined) text += `; ${fix}`;
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The same error, named after whoever asked. */
  at(place: string): ExporterError {
    const same = new ExporterError({ code: this.code, where: '', cause: this.cause });
    same.message = `${place} › ${this.message}`;
    return same;
  }
}

/** The code of an error for a label or a log line, whoever threw it. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'internal';
}

/** What is said of a request that broke off: `ECONNREFUSED` and the like. */
export function connectionWord(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const found = code ?? cause?.code;
  return typeof found === 'string' ? found : 'a broken connection';
}
