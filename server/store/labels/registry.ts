import type { Labels } from '../../model/index.ts';
import { LabelIndex } from './label-index.ts';
import type { LabelWriter } from './label-writer.ts';

/** Gives each label set its number, in order of first sight. Numbers are dense from 0 and never reused. */
export class Registry {
  private readonly writer: LabelWriter;
  private readonly index: LabelIndex;

  /** Called for each label set that gets its number, but for those that were stored earlier. */
  onNew: ((labels: Labels) => void) | undefined;

  constructor(writer: LabelWriter, index: LabelIndex) {
    this.writer = writer;
    this.index = index;
  }

  /** How many label sets are known. */
  get size(): number {
    return this.writer.size;
  }

  /** The number of a label set; a new one is saved with the next commit. @throws BarographError `too_many_label_sets`. */
  resolve(labels: Labels): number {
    const before = this.writer.size;
    const id = this.writer.add(labels);
    if (id === before) this.onNew?.(labels);
    return id;
  }

  /** The number of a label set that is known already, else `undefined`. */
  find(labels: Labels): number | undefined {
    const id = this.writer.find(labels);
    return id < 0 ? undefined : id;
  }

  /** The label set with a number, `undefined` where none is committed. */
  labels(id: number): Labels | undefined {
    this.index.refresh();
    return id >= 0 && id < this.index.size ? this.index.labels(id) : undefined;
  }

  /** The committed label sets by number, one at a time; what they need of memory doesn't stay. */
  *committed(): Generator<Labels> {
    const index = new LabelIndex(this.writer.memory);
    for (let id = 0; id < index.size; id++) yield index.labels(id);
  }
}
