/** What happens at a moment of simulated time. */
export type Action = (nowMs: number) => void;

/**
 * The future, ordered by time; events of the same moment happen in the order in which they were planned, so that a run
 * is the same every time. A binary heap in three parallel arrays.
 */
export class EventQueue {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actions: Action[] = [];
  #planned = 0;
  #nowMs: number;
  #horizonMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
    this.#horizonMs = startMs;
  }

  /** Simulated time, milliseconds since the epoch; never goes back. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get size(): number {
    return this.#times.length;
  }

  /** Plans an action; a moment that has passed means now. */
  at(timeMs: number, action: Action): void {
    let hole = this.#times.length;
    const time = Math.max(timeMs, this.#nowMs);
    const order = this.#planned++;
    this.#times.push(time);
    this.#orders.push(order);
    this.#actions.push(action);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.#times[parent] < time || (this.#times[parent] === time && this.#orders[parent] < order)) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#put(hole, time, order, action);
  }

  /**
   * Moves time on to a moment before which nothing else is planned. An engine uses it to run iterations back to back
   * without a trip through the heap for each.
   * @returns Whether it was possible; if not, the caller must plan an event instead.
   */
  tryAdvance(timeMs: number): boolean {
    if (timeMs > this.#horizonMs || (this.#times.length > 0 && timeMs >= this.#times[0])) return false;
    this.#nowMs = timeMs;
    return true;
  }

  /** Runs everything up to and including this moment. */
  runUntil(timeMs: number): void {
    this.#horizonMs = timeMs;
    while (this.#times.length > 0 && this.#times[0] <= timeMs) {
      const time = this.#times[0];
      const action = this.#actions[0];
      this.#removeFirst();
      this.#nowMs = time;
      action(time);
    }
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  #removeFirst(): void {
    const time = this.#times.pop()!;
    const order = this.#orders.pop()!;
    const action = this.#actions.pop()!;
    const size = this.#times.length;
    if (size === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(child + 1, child)) child++;
      if (time < this.#times[child] || (time === this.#times[child] && order < this.#orders[child])) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#put(hole, time, order, action);
  }

  #before(i: number, j: number): boolean {
    return this.#times[i] < this.#times[j] || (this.#times[i] === this.#times[j] && this.#orders[i] < this.#orders[j]);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from], this.#orders[from], this.#actions[from]);
  }

  #put(index: number, time: number, order: number, action: Action): void {
    this.#times[index] = time;
    this.#orders[index] = order;
    this.#actions[index] = action;
  }
}
