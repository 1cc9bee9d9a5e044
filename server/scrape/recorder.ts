import { createGovernor } from '../govern/index.ts';
import { ScrapeIngest } from '../ingest/index.ts';
import { type Exemplar, type Labels, labelsKey, type NativeHistogram, printLabels } from '../model/index.ts';

/** A sample that reached the store's door. */
export interface RecordedSample {
  /** `metric{label="value"}` as it is stored. */
  readonly series: string;
  readonly ms: number;
  /** `stale` for a staleness marker. */
  readonly value: number | 'stale' | NativeHistogram;
  readonly startMs: number;
  /** Number of the commit that it belonged to. */
  readonly commit: number;
}

type Door = ConstructorParameters<typeof ScrapeIngest>[0];

/** Ingestion with a real governor and nothing behind it, for tests: what reaches the store is written down. */
export class Recorder {
  readonly samples: RecordedSample[] = [];
  readonly exemplars: { readonly series: string; readonly exemplar: Exemplar }[] = [];
  readonly ingest: ScrapeIngest;
  readonly governor = createGovernor();
  /** Series that went on elsewhere under another policy. */
  handovers = 0;
  commits = 0;
  /** Thrown by the next commit. */
  commitError: Error | undefined;
  readonly #names: string[] = [];
  readonly #ids = new Map<string, number>();

  constructor() {
    const record = (id: number, ms: number, value: RecordedSample['value'], startMs: number): void => {
      this.samples.push({ series: this.#names[id], ms, value, startMs, commit: this.commits });
    };
    const door = {
      governor: this.governor,
      store: {
        series: { resolve: (labels: Labels) => this.#resolve(labels) },
        writer: {
          assertRoom: () => {},
          commit: async () => {
            this.commits++;
            if (this.commitError) throw this.commitError;
          },
          buffer: {
            pushExemplar: (id: number, exemplar: Exemplar) =>
              this.exemplars.push({ series: this.#names[id], exemplar }),
          },
        },
      },
      aggregator: {
        // An output is its series here, and an input is its output.
        inputByHash: (output: number) => output,
        add: (id: number, ms: number, value: number, startMs: number) => record(id, ms, value, startMs),
        addHistogram: (id: number, ms: number, value: NativeHistogram, startMs: number) =>
          record(id, ms, value, startMs),
      },
      takeClean: (id: number, _slot: number, ms: number, value: number, low: number, high: number, startMs: number) =>
        record(id, ms, low === 2 && high === 0x7ff00000 ? 'stale' : value, startMs),
      takeCleanHistogram: (id: number, _slot: number, ms: number, histogram: NativeHistogram, startMs: number) =>
        record(id, ms, histogram, startMs),
      openOutput: (labels: Labels) => this.#resolve(labels),
      typeOf: () => 'unknown',
      fleetSlot: () => -1,
      claim: (_raw: Labels, stored: Labels) => ({ id: this.#resolve(stored), fleetSlot: -1 }),
      storedId: (id: number) => id,
      wayOf: () => undefined,
      takeMetadata: () => {},
      handOver: () => this.handovers++,
    };
    this.ingest = new ScrapeIngest(door as unknown as Door);
  }

  /** The values of a series, in the order in which they came. */
  values(series: string): RecordedSample['value'][] {
    return this.samples.filter((sample) => sample.series === series).map(({ value }) => value);
  }

  #resolve(labels: Labels): number {
    const key = labelsKey(labels);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#names.push(printLabels(labels));
    this.#ids.set(key, this.#names.length - 1);
    return this.#names.length - 1;
  }
}
