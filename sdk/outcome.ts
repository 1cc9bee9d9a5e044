import { ERROR_TYPE_OUTCOMES, FINISH_REASON_OUTCOMES, type Outcome } from './generated/conventions.ts';

/** How a request ended, as far as it is known. Everything may be left out; nothing here is content. */
export interface RequestEnd {
  /** The status of the HTTP answer; a status below 400 proves nothing. */
  readonly httpStatus?: number;
  /** An exception's class, a provider's error code, or OpenTelemetry's error.type. */
  readonly errorType?: string | null;
  /** Whether the body, or any event of the stream, held an error object, whatever the status was. */
  readonly hasErrorBody?: boolean;
  /** False where a stream stopped before its end marker; left out for answers that aren't streamed. */
  readonly streamEnded?: boolean;
  /** One reason a choice, as the provider names them. */
  readonly finishReasons?: readonly (string | null | undefined)[];
  /** False where the user got nothing: no text, no tool call, no other output. Reasoning alone is nothing. */
  readonly hasOutput?: boolean;
}

/** Worst first: of several choices the worst decides. */
const SEVERITY: readonly Outcome[] = ['error', 'timeout', 'cancelled', 'refused', 'truncated'];

/**
 * What the user got, for the label outcome. Real errors decide and not the HTTP status: a 200 with an error body is an
 * error, a broken stream is one too, and an answer without output is empty even if it was cut short.
 */
export function outcomeOf(end: RequestEnd): Outcome {
  return failureOf(end) ?? answerOf(end);
}

function failureOf(end: RequestEnd): Outcome | undefined {
  if (end.errorType) {
    const lastPart = end.errorType.slice(end.errorType.lastIndexOf('.') + 1);
    const outcome = lookUp(ERROR_TYPE_OUTCOMES, lastPart);
    if (outcome) return outcome;
  }
  if (end.httpStatus !== undefined && end.httpStatus >= 400)
    return lookUp(ERROR_TYPE_OUTCOMES, String(end.httpStatus)) ?? 'error';
  if (end.errorType || end.hasErrorBody) return 'error';
  return undefined;
}

function answerOf(end: RequestEnd): Outcome {
  const outcomes = (end.finishReasons ?? []).map((reason) => lookUp(FINISH_REASON_OUTCOMES, reason ?? ''));
  const worst = SEVERITY.find((outcome) => outcomes.includes(outcome));
  if (worst && worst !== 'truncated') return worst;
  if (end.streamEnded === false) return 'error';
  if (end.hasOutput === false) return 'empty';
  return worst ?? 'ok';
}

function lookUp(table: Readonly<Record<string, Outcome>>, name: string): Outcome | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
