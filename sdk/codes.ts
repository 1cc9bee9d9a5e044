import type { RefusalRule } from './tally.ts';

/** Longest code, such as a policy or an error type, in UTF-16 units. */
const MAX_CODE_LENGTH = 64;
/** Longest value of a label; model names with their organisation and date reach about 80. */
const MAX_LABEL_LENGTH = 100;
/** Words of a product name such as `NVIDIA H100 80GB HBM3 SXM5 MIG 1g`; more of them read as prose. */
const MAX_LABEL_WORDS = 8;

const CODE = /^[A-Za-z0-9_][A-Za-z0-9_.:/@+-]*$/;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const HASH = /(?<![0-9a-z])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{24,}(?![0-9a-z])/i;
// A date with its time has 14 digits and stands in many model versions.
const LONG_NUMBER = /[0-9]{15,}/;
const EMAIL = /[^\s@/]+@[^\s@/]+\.[a-z]{2,}/i;

/**
 * Why a value can't stand where the contract expects a short code (`pii`, `rate_limit_exceeded`); undefined where it can.
 * A code has no space, so no sentence passes, and no identifier of one request does.
 */
export function refusalOfCode(value: unknown): RefusalRule | undefined {
  if (typeof value !== 'string') return 'not_a_code';
  if (value.length > MAX_CODE_LENGTH) return 'too_long';
  if (!CODE.test(value)) return EMAIL.test(value) ? 'email' : 'not_a_code';
  return refusalOfIdentity(value);
}

/** Why a value can't be a label's; undefined where it can. Product names have spaces, sentences have more of them. */
export function refusalOfLabel(value: unknown): RefusalRule | undefined {
  if (typeof value !== 'string') return 'not_a_code';
  if (value.length > MAX_LABEL_LENGTH) return 'too_long';
  if (/[\n\r"{}?!]/.test(value) || value.split(/\s+/).length > MAX_LABEL_WORDS) return 'prose';
  return refusalOfIdentity(value);
}

function refusalOfIdentity(value: string): RefusalRule | undefined {
  if (EMAIL.test(value)) return 'email';
  if (UUID.test(value) || HASH.test(value) || LONG_NUMBER.test(value)) return 'identifier';
  return undefined;
}

/** Whether a text is a provider's identifier of an answer: one word of letters, digits and `_.:-`, 128 at most. */
export function isResponseId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 128 && /^[\w.:-]+$/.test(value);
}

/** A count of tokens as a provider gives it; undefined for what isn't one. */
export function tokenCountOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/**
 * A failure as the contract's error type: the provider's code, else its type, else the exception's class. Messages are
 * never read. Undefined for what has no code at all.
 */
export function errorTypeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, type, name, cause } = error as { code?: unknown; type?: unknown; name?: unknown; cause?: unknown };
  const className = (error as object).constructor?.name;
  // A timeout or an abort is told by the class, whatever code the provider's client puts beside it.
  for (const candidate of [className, name])
    if (typeof candidate === 'string' && /timeout|abort|cancel/i.test(candidate)) return codeOr(candidate);
  for (const candidate of [code, type]) if (refusalOfCode(candidate) === undefined) return candidate as string;
  // fetch rejects with a TypeError whose cause says what happened.
  if (typeof cause === 'object' && cause !== null) {
    const inner = (cause as { code?: unknown }).code;
    if (refusalOfCode(inner) === undefined) return inner as string;
  }
  for (const candidate of [name, className])
    if (typeof candidate === 'string' && candidate !== 'Error' && candidate !== 'Object') return codeOr(candidate);
  return undefined;
}

function codeOr(candidate: string): string | undefined {
  return refusalOfCode(candidate) === undefined ? candidate : undefined;
}

/** The HTTP status that an error of a provider's client carries; undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null | undefined)?.status;
  return typeof status === 'number' && status >= 100 && status < 600 ? status : undefined;
}
