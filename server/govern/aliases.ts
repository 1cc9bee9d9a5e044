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
  /** Originals that are gone because a target has their value, whoever gave it. */
  readonly renamed: readonly string[];
  /** Originals that were dropped although they said something else than the one preferred to them. */
  readonly dropped: readonly string[];
  /** Originals that stay and say something else than the targets that came under their own name. */
  readonly contradicting: readonly string[];
}

/** Brings names onto the taxonomy. */
export class AliasResolver {
  private readonly general: AliasTable;
  /** For metrics that aren't about models: only the names that OpenTelemetry's conventions give one meaning. */
  private readonly elsewhere: AliasTable;
  private readonly takesAll: (metric: string) => boolean;
  private readonly byPrefix: readonly { prefix: string; table: AliasTable }[];

  /** @param takesAll whether every alias applies to a metric, or only those that have one meaning everywhere. */
  constructor(aliases: readonly AliasPolicy[], takesAll: (metric: string) => boolean) {
    this.takesAll = takesAll;
    const general = aliases.filter((alias) => alias.metricPrefix === undefined);
    this.general = tableOf(general);
    this.elsewhere = tableOf(
      general.map((alias) => ({ ...alias, originals: alias.originals.filter(({ name }) => isQualified(name, alias)) })),
    );
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
   * originals of an alias that was used are consumed, and so is one that only repeats a target that was present. One
   * that contradicts a target that was present is left to be judged as it is.
   */
  resolve(metric: string, labels: readonly PlainLabel[]): Renaming | undefined {
    const { targets, byOriginal } = this.tableFor(metric);
    if (!labels.some(({ name }) => byOriginal.has(name))) return undefined;
    const present = new Map(labels.map(({ name, value }) => [name, value]));
    const best = new Map<string, { value: string; rank: number }>();
    for (const { name, value } of labels) {
      for (const use of byOriginal.get(name) ?? []) {
        const target = targets[use.alias];
        if (present.has(target)) continue;
        const chosen = best.get(target);
        if (!chosen || use.rank < chosen.rank) best.set(target, { value, rank: use.rank });
      }
    }
    const labelsLeft: PlainLabel[] = [];
    const [renamed, dropped, contradicting]: string[][] = [[], [], []];
    for (const label of labels) {
      const uses = byOriginal.get(label.name) ?? [];
      const isRepeated = uses.some(
        ({ alias }) => (present.get(targets[alias]) ?? best.get(targets[alias])?.value) === label.value,
      );
      if (uses.length === 0 || uses.some(({ keep }) => keep)) labelsLeft.push(label);
      else if (isRepeated) renamed.push(label.name);
      else if (uses.some(({ alias }) => !present.has(targets[alias]))) dropped.push(label.name);
      else {
        labelsLeft.push(label);
        contradicting.push(label.name);
      }
    }
    if (labelsLeft.length === labels.length && best.size === 0 && contradicting.length === 0) return undefined;
    for (const [target, { value }] of best) labelsLeft.push({ name: target, value });
    return { labels: labelsLeft, renamed, dropped, contradicting };
  }

  /** Whether a label has a part in renaming on a metric, as original or as target. */
  concerns(metric: string, name: string): boolean {
    const { targets, byOriginal } = this.tableFor(metric);
    return byOriginal.has(name) || targets.includes(name);
  }

  /** Where an original leads, for metrics without aliases of their own; empty where it is none. */
  targetsOf(original: string): string[] {
    return (this.general.byOriginal.get(original) ?? []).map(({ alias }) => this.general.targets[alias]);
  }

  private tableFor(metric: string): AliasTable {
    for (const { prefix, table } of this.byPrefix) if (metric.startsWith(prefix)) return table;
    return this.takesAll(metric) ? this.general : this.elsewhere;
  }
}

/** Whether a name is one of OpenTelemetry's, with its dots or with underscores for them. */
function isQualified(name: string, { originals }: AliasPolicy): boolean {
  return originals.some(
    (other) => other.name.includes('.') && (other.name === name || other.name.replaceAll('.', '_') === name),
  );
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
