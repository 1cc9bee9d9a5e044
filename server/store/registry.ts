import { type Labels, labelsKey } from '../model/index.ts';

/**
 * Gives each label set its number, in order of first sight. Numbers are dense from 0 and never reused. The label sets
 * themselves are not kept: queries read them from the table through their own index.
 */
export class Registry {
  private readonly ids = new Map<string, number>();
  private readonly unsaved: { id: number; labels: Labels }[] = [];

  /** Called for each label set that gets its number, but for those that were stored earlier. */
  onNew: ((labels: Labels) => void) | undefined;

  /** How many label sets are known. */
  get size(): number {
    return this.ids.size;
  }

  /** The number of a label set; a new one is queued for saving with the next commit. */
  resolve(labels: Labels): number {
    const key = labelsKey(labels);
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.ids.size;
    this.ids.set(key, id);
    this.unsaved.push({ id, labels });
    this.onNew?.(labels);
    return id;
  }

  /** The number of a label set that is known already, else `undefined`. */
  find(labels: Labels): number | undefined {
    return this.ids.get(labelsKey(labels));
  }

  /** Takes up a row that was stored earlier; rows come in the order of their numbers. */
  restore(id: number, labels: Labels): void {
    if (id !== this.ids.size) throw new Error(`BUG: label set ${id} restored as number ${this.ids.size}`);
    this.ids.set(labelsKey(labels), id);
  }

  /** Hands over the label sets that no table holds yet. Rows that fail to commit are given back by `requeue`. */
  takeUnsaved(): { id: number; labels: Labels }[] {
    return this.unsaved.splice(0);
  }

  /** Puts rows of a failed commit back in front. */
  requeue(rows: { id: number; labels: Labels }[]): void {
    this.unsaved.unshift(...rows);
  }
}
