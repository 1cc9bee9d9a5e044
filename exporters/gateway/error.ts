/** What an error of the gateway tells: where, what came, what is accepted, what to change. */
export interface GatewayErrorParts {
  /** A stable identifier. */
  readonly code: string;
  readonly where: string;
  /** What was received, shortened; never a header's value or a body. */
  readonly got?: string;
  readonly accepted?: string;
  readonly fix?: string;
}

/** The gateway's only error class; callers test `error.code`. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;

  constructor({ code, where, got, accepted, fix }: GatewayErrorParts) {
    let text = where;
    if (got !== undefined) text += `: got ${got}`;
    if (accepted !== undefined) text += `, accepted is ${accepted}`;
    if (fix !== undefined) text += `; ${fix}`;
    super(text);
    this.code = code;
  }
}

/** Why an upstream gave no answer, as clients and metrics are told. */
export type FailureCode =
  | 'upstream_unreachable'
  | 'upstream_reset'
  | 'upstream_timeout'
  | 'upstream_malformed'
  | 'upstream_certificate';

/** A failure of the upstream: its code, the status that the client gets, and the system's own short code. */
export interface UpstreamFailure {
  readonly code: FailureCode;
  readonly status: 502 | 504;
  /** For the outcome and the span: a system's code such as ECONNREFUSED, or ours. */
  readonly errorType: string;
}

const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{2,47}$/;
const MESSAGES: Readonly<Record<FailureCode, string>> = {
  upstream_unreachable: 'The upstream of this gateway could not be reached.',
  upstream_reset: 'The upstream of this gateway closed the connection before it answered.',
  upstream_timeout: 'The upstream of this gateway did not answer in time.',
  upstream_malformed: 'The upstream of this gateway answered with something that is not HTTP.',
  upstream_certificate: "The certificate of this gateway's upstream was not accepted.",
};

/** An error of Node's as a failure of the upstream. Only its code is read: messages may quote what was sent. */
export function failureOf(error: unknown): UpstreamFailure {
  const raw = (error as { code?: unknown } | null)?.code;
  const errorType = typeof raw === 'string' && SYSTEM_CODE.test(raw) ? raw : 'error';
  if (errorType === 'ETIMEDOUT' || errorType === 'ESOCKETTIMEDOUT')
    return { code: 'upstream_timeout', status: 504, errorType: 'timeout' };
  if (errorType === 'ECONNRESET' || errorType === 'EPIPE') return { code: 'upstream_reset', status: 502, errorType };
  if (errorType.startsWith('HPE_') || errorType.startsWith('ERR_HTTP_') || errorType.startsWith('ERR_INVALID_'))
    return { code: 'upstream_malformed', status: 502, errorType };
  if (/CERT|SELF_SIGNED|ERR_TLS|ISSUER/.test(errorType))
    return { code: 'upstream_certificate', status: 502, errorType };
  return { code: 'upstream_unreachable', status: 502, errorType };
}

/** The body of an answer of the gateway's own, in the form in which the API that was asked has its errors. */
export function errorBody(shape: 'openai' | 'anthropic', code: string, message: string): Buffer {
  const body =
    shape === 'anthropic'
      ? { type: 'error', error: { type: code === 'upstream_timeout' ? 'timeout_error' : 'api_error', message } }
      : { error: { message, type: 'upstream_error', param: null, code } };
  return Buffer.from(JSON.stringify(body));
}

/** What the client is told of a failure. */
export function messageOf(code: FailureCode): string {
  return MESSAGES[code];
}
