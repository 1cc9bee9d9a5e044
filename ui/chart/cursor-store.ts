/** The moment under the cursor, shared by every chart and legend, and whether a pointer holds it. */
export interface CursorState {
  /** Seconds since the epoch; `undefined` where no chart is pointed at. */
  readonly seconds: number | undefined;
  /** Whether a mouse is over a chart, which holds a live pane still. */
  readonly pointing: boolean;
}

/** Tells legends where the cursor is, without a render of anything else. */
export class CursorStore {
  #state: CursorState = { seconds: undefined, pointing: false };
  readonly #listeners = new Set<() => void>();

  readonly get = (): CursorState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(seconds: number | undefined, pointing: boolean): void {
    if (seconds === this.#state.seconds && pointing === this.#state.pointing) return;
    this.#state = { seconds, pointing };
    for (const listener of this.#listeners) listener();
  }
}
