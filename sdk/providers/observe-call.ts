import type { Tally } from '../tally.ts';

/** Looks at what a provider's client answers. */
export interface CallReader<Answer> {
  /** The answer as the caller gets it: parsed, or a stream that is yet to be read. */
  answered(answer: Answer): void;
  failed(error: unknown): void;
  /** The caller took the bare HTTP response instead, whose body is nobody's business. */
  tookResponse(): void;
}

/** A promise of the clients that Stainless generates (OpenAI's and Anthropic's), as far as it is used. */
interface ClientPromise<Answer> extends Promise<Answer> {
  _thenUnwrap?(transform: (answer: Answer) => Answer): ClientPromise<Answer>;
  asResponse?(): Promise<unknown>;
  withResponse?(): Promise<unknown>;
}

/**
 * Looks at a call's answer and failure without changing either. The clients' promises parse the body when they are first
 * waited for, and have more ways to be waited for than `then`; a promise of theirs is therefore mapped by their own
 * means, which leaves all of those ways as they were.
 */
export function observeCall<Answer>(
  promise: Promise<Answer>,
  reader: CallReader<Answer>,
  tally: Tally,
): Promise<Answer> {
  const answered = (answer: Answer): Answer => {
    tally.guard(() => reader.answered(answer));
    return answer;
  };
  const failed = (error: unknown): void => tally.guard(() => reader.failed(error));
  const client = promise as ClientPromise<Answer>;
  if (typeof client._thenUnwrap !== 'function') {
    return promise.then(answered, (error: unknown) => {
      failed(error);
      throw error;
    });
  }
  const mapped = client._thenUnwrap(answered);
  watch(mapped, { failed, tookResponse: () => tally.guard(() => reader.tookResponse()) });
  return mapped;
}

/**
 * Sees the failures of a client's promise, whichever way it is waited for. Waiting for it on our own would start the
 * parsing and make failures unhandled ones, so each way is watched when the caller takes it.
 */
function watch(
  promise: ClientPromise<unknown>,
  on: { readonly failed: (error: unknown) => void; readonly tookResponse: () => void },
): void {
  const then = promise.then.bind(promise) as Promise<unknown>['then'];
  const watched: Promise<unknown>['then'] = (onAnswer, onFailure) =>
    then(onAnswer, (error: unknown) => {
      on.failed(error);
      if (onFailure) return onFailure(error) as never;
      throw error;
    });
  const { _thenUnwrap: thenUnwrap, asResponse, withResponse } = promise;
  let isWithResponse = false;
  const ways: Partial<ClientPromise<unknown>> = {
    // biome-ignore lint/suspicious/noThenProperty: the object is a promise, whose way of waiting is watched here.
    then: watched,
    catch: (onFailure) => watched(undefined, onFailure),
    finally: (onEnd) => watched(undefined, undefined).finally(onEnd),
    _thenUnwrap: (transform) => {
      const derived = thenUnwrap!.call(promise, transform);
      watch(derived, on);
      return derived;
    },
  };
  if (asResponse) {
    ways.asResponse = () => {
      const response = asResponse.call(promise);
      // withResponse asks for the response as well, and parses its body.
      if (!isWithResponse) response.then(on.tookResponse, on.failed);
      return response;
    };
  }
  if (withResponse) {
    ways.withResponse = () => {
      isWithResponse = true;
      try {
        const both = withResponse.call(promise);
        both.then(undefined, on.failed);
        return both;
      } finally {
        isWithResponse = false;
      }
    };
  }
  Object.assign(promise, ways);
}
