import { readings } from './hidden-text.ts';
import { type Expectation, isProse } from './prose.ts';
import { looksRandom } from './randomness.ts';

/** What a value turned out to be; each is a reason not to keep it as a label. */
export type SniffedKind =
  | 'api_key'
  | 'base64'
  | 'card'
  | 'email'
  | 'encoded_text'
  | 'hex_digest'
  | 'id_with_prefix'
  | 'ip'
  | 'jwt'
  | 'long_number'
  | 'phone'
  | 'prose'
  | 'query_string'
  | 'random'
  | 'timestamp'
  | 'ulid'
  | 'uuid';

/**
 * How closely a value is looked at. `identity` finds everything; `personal` only what must not stand even where
 * identifiers are expected (pods, hosts, span attributes): people, secrets and sentences.
 */
export type SniffLevel = 'identity' | 'personal';

const EMAIL =
  /[\w.!#$&'*+/=?^`{|}~-]{1,64}(?:@|%40)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}\.[a-z]{2,24}(?![a-z0-9])/i;
const JWT = /eyJ[\w-]{10,}\.(?:eyJ)?[\w-]{8,}/;
const API_KEY =
  /(?:^|[^a-z0-9])(?:sk-(?:ant-|proj-|or-|live-|test-)?[\w-]{16,}|[srp]k_(?:live|test)_\w{10,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|hf_[a-z0-9]{20,}|nvapi-[\w-]{20,}|gsk_\w{20,}|npm_\w{30,}|pypi-[\w-]{20,}|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|AIza[\w-]{30,}|ya29\.[\w-]{16,}|bearer\s+[\w.~+/-]{8,}|basic\s+[a-z0-9+/]{12,}=*)|-----BEGIN /i;

const UUID = /[0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12}/i;
const ULID = /(?<![a-z0-9])[0-7](?:[0-9A-HJKMNP-TV-Z]{25}|[0-9a-hjkmnp-tv-z]{25})(?![a-z0-9])/;
const HEX_RUN = /(?<![a-z0-9])(?:0x)?([0-9a-f]{12,})(?![a-z0-9])/gi;
const DIGIT_RUN = /\d{9,}/;
const ALL_DIGITS = /^#?\d{7,}$/;
const DATE_DIGITS = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/;
const DECIMAL = /^[+-]?\d{1,8}\.\d+(?:e[+-]?\d+)?$/i;
const UNIX_TIME = /(?<!\d)1[4-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?!\d)/;
const ISO_TIME = /\d{4}-?\d\d-?\d\d[T_ ]\d\d:?\d\d(?::?\d\d)?/;
const ID_PREFIX =
  /(?<![a-z0-9])(?:req|request|rid|trace|span|sess|session|sid|user|usr|uid|msg|message|conv|conversation|chat|cmpl|chatcmpl|run|thread|call|toolu|resp|response|gen|generation|file|asst|cus|cust|customer|acct|account|org|tenant|batch|task|txn|tx|order|inv|evt|event|corr|client|device)[-_:#]((?=[a-z0-9]*\d)[a-z0-9]{5,})(?![a-z0-9])/i;
const ID_PREFIX_WORD = /^(?:v?\d{1,4}[a-z]?|[a-z]{3,}\d{1,2}|\d{1,4}[kmgb]b?|20\d{6})$/i;
const IPV4 = /(?<![\w.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w.-])/;
const IPV6 =
  /(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}(?::|[0-9a-f]{1,4})|(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,5}::(?:[0-9a-f]{1,4}:?)*/i;
const PHONE =
  /^\s*(?:tel:)?(?:\+\d[\d ().-]{7,20}\d|\(\d{3}\)\s?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4}|0\d{2,4}[ /]\d{5,9}|\d{3}-\d{2}-\d{4})\s*$/;
const CARD = /(?<![\da-f.-])\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}(?![\da-f.-])/i;
const BASE64_PADDED = /^[a-z0-9+/_-]{14,}={1,2}$/i;
const QUERY_STRING = /\?[^=\s]{1,64}=|:\/\/[^/\s@]+:[^/\s@]+@/;
/** The ends of a Kubernetes pod's or replica set's name: a hash of 8 to 10 letters and digits, five more for the pod. */
const POD_SUFFIX = /(?<=[a-z0-9])-[bcdfghjklmnpqrstvwxz2456789]{8,10}(?:-[bcdfghjklmnpqrstvwxz2456789]{5})?$/;
const SEPARATORS = /[^A-Za-z0-9]+/;

/** Label names that end so hold a quantity, whose digits are no identifier. */
const QUANTITY_NAME =
  /(?:bytes|tokens|size|seconds|ms|count|total|concurrency|blocks|limit|len(?:gth)?|capacity|mb|gb|mib|gib|version|port|budget|rate|perc|percent|ratio|utilization|bound)$/i;

/**
 * Says what kind of identifier, personal datum, secret or text a value is, or `undefined` where it is a plain name.
 * @param labelName helps where a value alone is ambiguous: `kv_cache_memory_bytes="10737418240"` is a quantity.
 */
export function sniffValue(
  value: string,
  level: SniffLevel,
  labelName = '',
  expected: Expectation = 'code',
): SniffedKind | undefined {
  if (value.length < 5) return undefined;
  if ((value.includes('@') || value.includes('%40')) && EMAIL.test(value)) return 'email';
  if (value.includes('eyJ') && JWT.test(value)) return 'jwt';
  if (value.length >= 12 && API_KEY.test(value)) return 'api_key';
  if (isCard(value)) return 'card';
  if (isProse(value, expected)) return 'prose';
  for (const reading of readings(value)) if (isTelling(reading, expected)) return 'encoded_text';
  if (level === 'personal') return undefined;
  return sniffShape(value, QUANTITY_NAME.test(labelName));
}

/** Whether a text that had to be decoded is a sentence, or holds what must not stand anywhere. */
function isTelling(reading: string, expected: Expectation): boolean {
  return isProse(reading, expected) || EMAIL.test(reading) || JWT.test(reading);
}

/** The text with e-mail addresses, tokens and keys cut out, or the same string; for texts that are kept otherwise. */
export function redactSecrets(text: string, mark: string): string {
  let redacted = text;
  if (text.includes('@') || text.includes('%40')) redacted = redacted.replace(ALL_EMAILS, mark);
  if (text.includes('eyJ')) redacted = redacted.replace(ALL_JWTS, mark);
  return KEY_HINT.test(text) ? redacted.replace(ALL_API_KEYS, mark) : redacted;
}

const ALL_EMAILS = new RegExp(EMAIL.source, 'gi');
const ALL_JWTS = new RegExp(`${JWT.source}(?:\\.[\\w-]+)?`, 'g');
const ALL_API_KEYS = new RegExp(API_KEY.source, 'gi');
const KEY_HINT =
  /[srp]k[-_]|gh[opsur]_|github_pat|glpat|xox|hf_|nvapi|gsk_|npm_|pypi|A[KS]IA|AIza|ya29|bearer|basic |-----BEGIN/i;

/**
 * Whether a metric's, label's or attribute's name is an identifier, secret or sentence. Names are built more freely than
 * values (`client_http2_streams`), so only what no name holds counts.
 */
export function isUnfitName(name: string): boolean {
  if (sniffValue(name, 'personal') !== undefined || UUID.test(name) || DIGIT_RUN.test(name)) return true;
  for (const [, run] of name.matchAll(HEX_RUN)) if (run.length >= 16 && /\d/.test(run)) return true;
  return /(?<![a-z0-9])(?=[a-z]*\d)[a-z0-9]{20,}(?![a-z0-9])/i.test(name) && sniffShape(name, true) !== undefined;
}

function sniffShape(value: string, isQuantity: boolean): SniffedKind | undefined {
  if (UUID.test(value)) return 'uuid';
  if (ULID.test(value)) return 'ulid';
  if (QUERY_STRING.test(value)) return 'query_string';
  if (ISO_TIME.test(value)) return 'timestamp';
  if (PHONE.test(value)) return 'phone';
  if (!isQuantity && (IPV4.test(value) || isIpv6(value))) return 'ip';
  if (!isQuantity && !DECIMAL.test(value)) {
    if (UNIX_TIME.test(value)) return 'timestamp';
    if (DIGIT_RUN.test(value) || (ALL_DIGITS.test(value) && !DATE_DIGITS.test(value))) return 'long_number';
  }
  for (const [, run] of value.matchAll(HEX_RUN)) if (/\d/.test(run) && /[a-f]/i.test(run)) return 'hex_digest';
  const prefixed = ID_PREFIX.exec(value);
  if (prefixed && !ID_PREFIX_WORD.test(prefixed[1])) return 'id_with_prefix';
  if (BASE64_PADDED.test(value)) return 'base64';
  for (const part of value.replace(POD_SUFFIX, '').split(SEPARATORS))
    if (part.length >= 10 && looksRandom(part)) return 'random';
  return undefined;
}

function isIpv6(value: string): boolean {
  const found = IPV6.exec(value)?.[0];
  // A clock time or a ratio such as 1:2:3 has colons too, but neither `::` nor a hexadecimal letter nor eight groups.
  return found !== undefined && (found.includes('::') || /[a-f]/i.test(found) || found.split(':').length === 8);
}

/** Payment card numbers: 13 to 19 digits in groups, with a valid check digit (ISO/IEC 7812-1, Luhn). */
function isCard(value: string): boolean {
  const digits = CARD.exec(value)?.[0].replace(/\D/g, '');
  if (digits === undefined || digits.length < 13 || digits.length > 19 || !/^[2-6]/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = Number(digits[digits.length - 1 - i]);
    if (i % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}
