/** A case that differs on a server on purpose. */
interface ServerException {
  /** A text that its query or failure contains. */
  readonly failure: RegExp;
  readonly why: string;
}

/**
 * Cases that a server answers otherwise than the engine alone, because governance stands before the store. They are
 * counted apart, and listed by `--failures`.
 */
const SERVER_EXCEPTIONS: readonly ServerException[] = [
  {
    failure: /expected warning .*has a malformed value of "(Hello World|oops)"/,
    why: 'buckets whose bound is no number are refused when they come in, so there is nothing left to warn of',
  },
  {
    failure: /target="a@b\.com"/,
    why: 'e-mail addresses are removed from labels when they come in',
  },
];

/** Why a case differs on a server on purpose, or `undefined`. */
export function serverException(failure: string): string | undefined {
  return SERVER_EXCEPTIONS.find((exception) => exception.failure.test(failure))?.why;
}
