import { sniffValue } from './sniff.ts';

const ERROR_CLASS =
  /^((?:[A-Za-z_]\w{0,40}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Timeout|Warning|Failure|Interrupt|Exit|Cancelled|Canceled))\b/;
const STATUS_WORD = /^([A-Z][A-Z0-9]{1,24}(?:_[A-Z0-9]{1,24}){0,5})(?![A-Za-z])/;
/** Words joined by punctuation; a bare word could be anybody's, so only those that errors really are called by count. */
const JOINED_CODE = /^[a-z][a-z0-9]{1,24}(?:[_.-][a-z0-9]{1,24}){1,4}$/i;
const BARE_CODES = new Set(
  'aborted bad_request busy canceled cancelled closed conflict denied disconnected empty error exhausted expired failed failure fatal forbidden internal invalid killed malformed missing ok oom overloaded refused rejected reset stopped throttled timeout truncated unauthenticated unauthorized unavailable unimplemented unknown unsupported'.split(
    ' ',
  ),
);
const HTTP_CODE = /(?:^|\b(?:code|status|http(?:\/\d(?:\.\d)?)?)\W{0,4})([1-5]\d\d)\b/i;

/** The code that a status message begins with or holds (an error class, a gRPC or HTTP status), or `''`. */
export function statusCode(message: string): string {
  const head = message.slice(0, 256);
  const errorClass = ERROR_CLASS.exec(head)?.[1];
  if (errorClass !== undefined && sniffValue(errorClass, 'identity') === undefined) return errorClass;
  if (BARE_CODES.has(head.toLowerCase())) return head;
  if (head.length <= 64 && JOINED_CODE.test(head) && sniffValue(head, 'identity') === undefined) return head;
  const word = STATUS_WORD.exec(head)?.[1];
  if (word?.includes('_') && sniffValue(word, 'identity') === undefined) return word;
  return HTTP_CODE.exec(head)?.[1] ?? '';
}
