/** What an error of this program tells: where, what came, what is accepted, what to change. */
export interface ErrorParts {
  /** A stable identifier, listed in `docs/reference/errors.md`. */
  readonly code: string;
  /** The HTTP status that fits when it reaches a client. */
  readonly status: number;
  /** The place: a field, a query position, a file. */
  readonly where: string;
  /** What was received, shortened; never content of a prompt, response or log line. */
  readonly got?: string;
  /** What is accepted there. */
  readonly accepted?: string;
  /** What to change. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The program's only error class; callers test `error.code`. */
export class BarographError extends Error {
  readonly code: string;
  /** HTTP status, 400–599. */
  readonly status: number;

  constructor(parts: ErrorParts) {
    super(errorMessage(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = 'BarographError';
    this.code = parts.code;
    this.status = parts.status;
  }
}

function errorMessage(parts: ErrorParts): string {
  let text = parts.where;
  if (parts.got !== undefined) text += `: got ${parts.got}`;
  if (parts.accepted !== undefined) text += `, accepted is ${parts.accepted}`;
  if (parts.fix !== undefined) text += `; ${parts.fix}`;
  return text;
}
