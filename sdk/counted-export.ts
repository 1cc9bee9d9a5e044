import type { Tally } from './tally.ts';

/** How an export ended, as OpenTelemetry's exporters say it; 0 is success. */
interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** An exporter of spans or log records of OpenTelemetry's SDK. */
interface Exporter<Item> {
  export(items: Item[], done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
  forceFlush?(): Promise<void>;
}

const SUCCESS = 0;

/**
 * Bounds what waits for its export, and counts what is lost: a queue of OpenTelemetry's own drops without a number that
 * anyone could alert on. `admit` is asked before an item is queued, `counted` wraps the exporter that empties the queue.
 */
export class CountedQueue {
  readonly #max: number;
  readonly #tally: Tally;
  #waiting = 0;

  /** @param max Items that may wait at once. */
  constructor(max: number, tally: Tally) {
    this.#max = max;
    this.#tally = tally;
  }

  /** Whether one more item may wait; it is dropped and counted where not. */
  admit(): boolean {
    if (this.#waiting >= this.#max) {
      this.#tally.drop('queue_full');
      return false;
    }
    this.#waiting++;
    return true;
  }

  /** The exporter, whose batches leave the queue and whose failures are counted. */
  counted<Item, Kind extends Exporter<Item>>(exporter: Kind): Kind {
    const send = exporter.export.bind(exporter) as Exporter<Item>['export'];
    exporter.export = (items: Item[], done: (result: ExportResult) => void): void => {
      send(items, (result) => {
        // What is on its way takes memory as well, so it leaves the queue when it has arrived.
        this.#waiting = Math.max(0, this.#waiting - items.length);
        if (result.code !== SUCCESS) this.#tally.drop('export_failed', items.length);
        done(result);
      });
    };
    return exporter;
  }
}
