import {
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  NO_LABELS,
  onlyLabels,
  withoutLabels,
} from '../../model/index.ts';
import type { Aggregate } from './ast.ts';

/** The labels that an aggregation keeps of a series. */
export function grouping(expr: Pick<Aggregate, 'grouping' | 'labels'>): (labels: Labels) => Labels {
  const names = new Set(expr.labels);
  if (expr.grouping === 'without') {
    names.add(METRIC_NAME);
    return (labels) => withoutLabels(labels, names);
  }
  return names.size === 0 ? () => NO_LABELS : (labels) => onlyLabels(labels, names);
}

/** A level of the tree of groups: the next label's value leads to the next level, and the last to the group. */
type Level<G> = Map<string, Level<G> | G>;

/** More labels than these are looked up by one key: each level of the tree costs a map. */
const MAX_LEVELS = 6;

/**
 * Finds the group of a series. `by` walks a tree by the values of the labels that group, whose hashes the engine keeps
 * with the strings, so that no key is built for a series; `without` joins the labels that are left to a key.
 */
export class GroupIndex<G extends object> {
  readonly groups: G[] = [];
  private readonly names: readonly string[] | undefined;
  private readonly labelsOf: (labels: Labels) => Labels;
  private readonly create: (labels: Labels) => G;
  private readonly byKey = new Map<string, G>();
  private readonly root: Level<G> = new Map();
  private only: G | undefined;

  /** @param create Makes a group of its labels; called once for each. */
  constructor(expr: Pick<Aggregate, 'grouping' | 'labels'>, create: (labels: Labels) => G) {
    const names = [...new Set(expr.labels)];
    this.names = expr.grouping === 'without' || names.length > MAX_LEVELS ? undefined : names;
    this.labelsOf = grouping(expr);
    this.create = create;
  }

  /** The group of a series with these labels. */
  of(labels: Labels): G {
    const { names } = this;
    if (!names) return this.ofKey(labels);
    if (names.length === 0) return (this.only ??= this.add(labels));
    let level = this.root;
    const last = names.length - 1;
    for (let i = 0; i < last; i++) {
      const value = labelValue(labels, names[i]);
      let next = level.get(value) as Level<G> | undefined;
      if (!next) level.set(value, (next = new Map()));
      level = next;
    }
    const value = labelValue(labels, names[last]);
    const known = level.get(value) as G | undefined;
    if (known) return known;
    const group = this.add(labels);
    level.set(value, group);
    return group;
  }

  private ofKey(labels: Labels): G {
    const kept = this.labelsOf(labels);
    const key = labelsKey(kept);
    let group = this.byKey.get(key);
    if (!group) {
      this.byKey.set(key, (group = this.create(kept)));
      this.groups.push(group);
    }
    return group;
  }

  private add(labels: Labels): G {
    const group = this.create(this.labelsOf(labels));
    this.groups.push(group);
    return group;
  }
}
