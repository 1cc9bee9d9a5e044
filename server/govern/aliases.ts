import type { AliasPolicy } from './policy.ts';

/** Where an original name leads. */
interface AliasUse {
  /** Index of the alias among those that apply. */
  readonly alias: number;
  /** 0 for the preferred original. */
  readonly rank: number;
  readonly keep: boolean;
}

/** The aliases that apply to one family of metrics, looked up by original. */
interface AliasTable {
  readonly targets: readonly string[];
  readonly byOriginal: ReadonlyMap<string, readonly AliasUse[]>;
}

/** One label on its way through the judge. */
export interface PlainLabel {
  name: string;
  value: string;
}

/** What became of the names. */
export interface Renaming {
  readonly labels: PlainLabel[];
  /** Originals that gave their value to a target. */
  readonly renamed: readonly string[];
  /** Originals that were dropped although they said something else than the one preferred to them. */
  readonly dropped: readonly string[];
}

/** Brings names onto the taxonomy. */
export class AliasResolver {
  private readonly general: AliasTable;
  private readonly byPrefix: readonly { prefix: string; table: AliasTable }[];

  constructor(aliases: readonly AliasPolicy[]) {
    const general = aliases.filter((alias) => alias.metricPrefix === undefined);
    this.general = tableOf(general);
    const prefixes = new Set(aliases.flatMap(({ metricPrefix }) => metricPrefix ?? []));
    this.byPrefix = [...prefixes].map((prefix) => {
      const special = aliases.filter((alias) => alias.metricPrefix === prefix);
      // What a family of metrics says in its own way isn't read in the general way as well.
      const claimed = new Set(special.flatMap(({ originals }) => originals.map(({ name }) => name)));
      const rest = general.map((alias) => ({
        ...alias,
        originals: alias.originals.filter(({ name }) => !claimed.has(name)),
      }));
      return { prefix, table: tableOf([...special.filter(({ target }) => target !== ''), ...rest]) };
    });
  }

  /**
   * Of each alias the first original that is present gives the target's value, unless the target is present itself. The
   * originals of an alias that was used are consumed.
   */
  resolve(metric: string, labels: readonly PlainLabel[]): Renaming | undefined {
    const { targets, byOriginal } = this.tableFor(metric);
    if (!labels.some(({ name }) => byOriginal.has(name))) return undefined;
    const present = new Set(labels.map(({ name }) => name));
    const best = new Map<string, { label: PlainLabel; rank: number }>();
    const useless = (use: AliasUse) => present.has(targets[use.alias]);
    for (const label of labels) {
      for (const use of byOriginal.get(label.name) ?? []) {
        if (useless(use)) continue;
        const target = targets[use.alias];
        const chosen = best.get(target);
        if (!chosen || use.rank < chosen.rank) best.set(target, { label, rank: use.rank });
      }
    }
    if (best.size === 0) return undefined;
    const chosenLabels = new Set([...best.values()].map(({ label }) => label));
    const kept: PlainLabel[] = [];
    const renamed: string[] = [];
    const dropped: string[] = [];
    for (const label of labels) {
      const uses = (byOriginal.get(label.name) ?? []).filter((use) => !useless(use));
      if (uses.length === 0 || uses.some(({ keep }) => keep)) kept.push(label);
      else if (chosenLabels.has(label)) renamed.push(label.name);
      else if (uses.some((use) => best.get(targets[use.alias])?.label.value !== label.value)) dropped.push(label.name);
    }
    for (const [target, { label }] of best) kept.push({ name: target, value: label.value });
    return { labels: kept, renamed, dropped };
  }

  private tableFor(metric: string): AliasTable {
    for (const { prefix, table } of this.byPrefix) if (metric.startsWith(prefix)) return table;
    return this.general;
  }
}

function tableOf(aliases: readonly AliasPolicy[]): AliasTable {
  const byOriginal = new Map<string, AliasUse[]>();
  for (const [alias, { originals }] of aliases.entries()) {
    for (const [rank, { name, keep }] of originals.entries()) {
      const uses = byOriginal.get(name) ?? [];
      uses.push({ alias, rank, keep });
      byOriginal.set(name, uses);
    }
  }
  return { targets: aliases.map(({ target }) => target), byOriginal };
}
