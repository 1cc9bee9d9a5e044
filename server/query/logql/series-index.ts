import { type Labels, labelsKey, withoutLabels } from '../../model/index.ts';
import type { Grouping } from './ast.ts';
import type { LineState } from './line-state.ts';

/** How many label arrays and texts the index remembers besides the series themselves. */
const MAX_REMEMBERED = 50_000;

/**
 * Finds the series of a line by what names it. Lines of a stream share their label arrays, so most lines are found by
 * the identity of those; the rest by a text built from the labels that matter.
 */
export class SeriesIndex {
  /** Labels of each series, by its number. */
  readonly series: Labels[] = [];
  private readonly byStream = new Map<Labels, number>();
  private readonly streamIds = new Map<Labels, number>();
  private readonly byRawKey = new Map<string, number>();
  private readonly byLabels = new Map<string, number>();
  private readonly by: readonly string[] | undefined;
  private readonly without: ReadonlySet<string>;
  private nextStreamId = 0;

  /** `unwraps` is the label that became the value: it names no series unless it is asked for. */
  constructor(grouping: Grouping | 'all', unwraps: string | undefined) {
    this.by = grouping !== 'all' && grouping.kind === 'by' ? [...new Set(grouping.labels)].sort() : undefined;
    const without = grouping !== 'all' && grouping.kind === 'without' ? grouping.labels : [];
    this.without = new Set(unwraps === undefined ? without : [...without, unwraps]);
  }

  /** The number of the line's series; `series.length` grows where it is new. */
  find(state: LineState): number {
    const plain = state.untouched && state.originalMetadata.length === 0;
    if (plain) {
      const known = this.byStream.get(state.originalStream);
      if (known !== undefined) return known;
    }
    const number = this.by === undefined ? this.findByRawKey(state) : this.findByGroups(state, this.by);
    if (plain) {
      if (this.byStream.size >= MAX_REMEMBERED) this.byStream.clear();
      this.byStream.set(state.originalStream, number);
    }
    return number;
  }

  private findByGroups(state: LineState, names: readonly string[]): number {
    let key = '';
    for (let i = 0; i < names.length; i++) {
      const value = state.get(names[i]);
      if (value !== undefined) key += `${i}=${value.length}:${value}`;
    }
    const known = this.byRawKey.get(key);
    if (known !== undefined) return known;
    const labels: string[] = [];
    for (const name of names) {
      const value = state.get(name);
      if (value !== undefined) labels.push(name, value);
    }
    return this.remember(key, labels);
  }

  private findByRawKey(state: LineState): number {
    const metadata = state.originalMetadata;
    const key = `${this.streamId(state.originalStream)};${metadata.length > 0 ? labelsKey(metadata) : ''};${state.touchedKey()}`;
    const known = this.byRawKey.get(key);
    if (known !== undefined) return known;
    return this.remember(key, withoutLabels(state.allLabels(), this.without));
  }

  private remember(key: string, labels: Labels): number {
    const canonical = labelsKey(labels);
    let number = this.byLabels.get(canonical);
    if (number === undefined) {
      number = this.series.length;
      this.series.push(labels);
      this.byLabels.set(canonical, number);
    }
    if (this.byRawKey.size >= MAX_REMEMBERED) this.byRawKey.clear();
    this.byRawKey.set(key, number);
    return number;
  }

  private streamId(stream: Labels): number {
    let id = this.streamIds.get(stream);
    if (id === undefined) {
      // Numbers are never used twice, so that keys made with forgotten ones stay apart.
      if (this.streamIds.size >= MAX_REMEMBERED) this.streamIds.clear();
      id = this.nextStreamId++;
      this.streamIds.set(stream, id);
    }
    return id;
  }
}
