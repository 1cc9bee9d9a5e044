/** What an error of this program tells: where, what came, what is accepted, what to change. */
export interface ExporterErrorParts {
  /** A stable identifier; also the value of the label `reason` of the exporter's own metrics. */
  readonly code: string;
  readonly where: string;
  /** What was received, shortened; never a label's value or a body. */
  readonly got?: string;
  readonly accepted?: string;
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The exporter's only error class; callers test `error.code`. */
export class ExporterError extends Error {
  override readonly name = 'ExporterError';
  readonly code: string;

  constructor({ code, where, got, accepted, fix, cause }: ExporterErrorParts) {
    let text = where;
    if (got !== undefined) text += `: got ${got}`;
    if (accepted !== undefined) text += `, accepted is ${accepted}`;
    if (fix !== undefined) text += `; ${fix}`;
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The code of an error for a label or a log line, whoever threw it. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'internal';
}
