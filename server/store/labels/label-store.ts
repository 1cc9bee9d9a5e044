import type { Matcher } from '../../model/index.ts';
import { LabelFile } from './label-file.ts';
import { LabelIndex } from './label-index.ts';
import { type LabelMemory, reserveLabelMemory } from './label-memory.ts';
import { type LabelCounts, LabelWriter } from './label-writer.ts';
import { Registry } from './registry.ts';

/** Label sets in memory and in their file, as the one thread sees them that adds to them. */
export class LabelStore {
  /** Gives label sets their numbers. */
  readonly registry: Registry;
  private readonly writer: LabelWriter;
  private readonly file: LabelFile;
  private readonly index: LabelIndex;

  private constructor(writer: LabelWriter, file: LabelFile) {
    this.writer = writer;
    this.file = file;
    this.index = new LabelIndex(writer.memory);
    this.registry = new Registry(writer, this.index);
  }

  /** Opens a file of label sets, or makes an empty one. @throws BarographError `labels_damaged`. */
  static async open(path: string): Promise<LabelStore> {
    const writer = new LabelWriter(reserveLabelMemory());
    return new LabelStore(writer, await LabelFile.open(path, writer));
  }

  /** What other threads need for a `LabelIndex`. */
  get memory(): LabelMemory {
    return this.writer.memory;
  }

  /**
   * Makes durable what was added until the call, before anything that refers to it is written. Readers see it once
   * `publish` was called with what is returned. One call at a time.
   */
  save(): Promise<LabelCounts> {
    return this.file.save();
  }

  publish(saved: LabelCounts): void {
    this.writer.publish(saved);
  }

  /** The numbers of the committed label sets that match any of the sets of matchers, ascending. */
  select(matcherSets: readonly (readonly Matcher[])[]): Uint32Array {
    this.index.refresh();
    return Uint32Array.from(new Set(matcherSets.flatMap((set) => this.index.select(set)))).sort();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
