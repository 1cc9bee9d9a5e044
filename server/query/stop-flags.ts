import { BarographError } from '../model/index.ts';

/** Why a request is to stop, as it stands in the shared memory; 0 is "go on". */
export type StopReason = 'cancelled' | 'timeout';

const GO_ON = 0;
const CANCELLED = 1;
const TIMED_OUT = 2;

/**
 * One flag for each request that a thread works on, in memory that the pool and the thread share: evaluation is
 * synchronous, so a message could not reach it before its end. The pool takes a place for a request, writes the reason
 * to stop into it, and frees it only once the thread has answered, so that a flag never speaks of another request.
 */
export class StopFlags {
  readonly memory: SharedArrayBuffer;
  private readonly flags: Int32Array;
  private readonly free: number[];

  /** @param places How many requests the thread may work on at once. */
  constructor(places: number) {
    this.memory = new SharedArrayBuffer(places * Int32Array.BYTES_PER_ELEMENT);
    this.flags = new Int32Array(this.memory);
    this.free = Array.from({ length: places }, (_, i) => places - 1 - i);
  }

  /** How many places are free. */
  get available(): number {
    return this.free.length;
  }

  /** A place whose flag says "go on". */
  take(): number {
    const place = this.free.pop();
    if (place === undefined) throw new Error('BUG: a thread got more requests than it has flags');
    Atomics.store(this.flags, place, GO_ON);
    return place;
  }

  /** Tells the thread to stop; the first reason stays. */
  stop(place: number, reason: StopReason): void {
    Atomics.compareExchange(this.flags, place, GO_ON, reason === 'timeout' ? TIMED_OUT : CANCELLED);
  }

  /** Gives a place back; its request has ended. */
  release(place: number): void {
    this.free.push(place);
  }
}

/** What a thread sees of one request's flag. */
export interface StopSignal {
  /**
   * For readers and engines. Unlike that of any other signal its `aborted` is read from the shared memory, so it is
   * true at once, in the middle of a synchronous loop as well. Its event comes later, once the thread takes messages.
   */
  readonly signal: AbortSignal;
  /** Sends the signal's event to whoever waits for it. */
  wake(): void;
}

/** @throws BarographError `cancelled` where the signal says so. */
export function throwIfStopped(signal: { readonly aborted: boolean }): void {
  if (!signal.aborted) return;
  throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
}

/**
 * A function for every turn of a loop that may be long: at one of `turns` calls it looks at the signal.
 * @param turns A power of two: about as many as take a millisecond.
 */
export function watchLoop(signal: { readonly aborted: boolean }, turns: number): () => void {
  let calls = 0;
  return () => {
    if ((++calls & (turns - 1)) === 0) throwIfStopped(signal);
  };
}

/** The signal of the request at `place` of the flags in `memory`. */
export function stopSignal(memory: SharedArrayBuffer, place: number): StopSignal {
  const flags = new Int32Array(memory);
  const controller = new AbortController();
  Object.defineProperty(controller.signal, 'aborted', { get: () => Atomics.load(flags, place) !== GO_ON });
  return { signal: controller.signal, wake: () => controller.abort() };
}
