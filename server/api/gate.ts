import { BarographError } from '../model/index.ts';

/**
 * Lets a few requests in at a time, the others one after the other as places become free: for answers that hold much
 * memory for as long as their client takes them.
 */
export class Gate {
  private readonly places: number;
  private readonly maxWaiting: number;
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  /**
   * @param places Requests inside at once.
   * @param maxWaiting Requests that may wait; past it they are refused.
   */
  constructor(places: number, maxWaiting: number) {
    this.places = places;
    this.maxWaiting = maxWaiting;
  }

  /**
   * Resolves once there is a place, with the function that gives it back, which may be called more than once.
   * @throws BarographError `overloaded` where too many wait, `cancelled` where the signal was aborted before.
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.taken >= this.places) await this.wait(signal);
    else this.taken++;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.leave();
    };
  }

  private wait(signal: AbortSignal): Promise<void> {
    if (this.waiting.length >= this.maxWaiting) return Promise.reject(overloaded(this.waiting.length));
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.waiting.splice(this.waiting.indexOf(admit), 1);
        reject(gone());
      };
      if (signal.aborted) return reject(gone());
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.push(admit);
    });
  }

  /** The place goes to who waits longest, without being free in between. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.taken--;
  }
}

function overloaded(waiting: number): BarographError {
  return new BarographError({
    code: 'overloaded',
    status: 503,
    where: 'remote read and federation',
    got: `${waiting} requests that wait`,
    fix: 'ask again later, or for less at once',
  });
}

function gone(): BarographError {
  return new BarographError({ code: 'cancelled', status: 499, where: 'query was canceled', got: 'a client that left' });
}
