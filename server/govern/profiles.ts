import type { KeptLabels, Policy, ProfilePolicy } from './policy.ts';
import type { AggregationRule } from './rule.ts';

/** What the profiles together say of one metric. */
export interface MetricProfile {
  readonly contract: boolean;
  readonly otherLabels: 'keep' | 'drop';
  readonly infrastructure: KeptLabels;
  readonly aliases: 'all' | 'qualified';
  readonly keep: ReadonlySet<string>;
  readonly drop: ReadonlySet<string>;
  /** Of every profile that matches, the first one's number for a label. */
  readonly budgets: ReadonlyMap<string, number>;
  readonly otherBudget: number;
  readonly gauges: Exclude<AggregationRule, 'counter'> | undefined;
  /** Stored series a metric, 0 for no limit. */
  readonly seriesPerMetric: number;
}

const MAX_CACHED = 20_000;

/** Finds what holds for a metric, and remembers it for the last 20,000 of them. */
export class Profiles {
  private cache = new Map<string, MetricProfile>();
  private lastMetric = '';
  private last: MetricProfile | undefined;
  private readonly policy: Policy;
  private readonly compiled: readonly { readonly profile: ProfilePolicy; readonly test: RegExp }[];

  constructor(policy: Policy) {
    this.policy = policy;
    this.compiled = policy.profiles.map((profile) => ({ profile, test: globTest(profile.match) }));
  }

  /** @param base the metric's name without the suffix of a histogram's part, by which profiles match too. */
  of(metric: string, base: string): MetricProfile {
    if (metric === this.lastMetric && this.last) return this.last;
    this.lastMetric = metric;
    this.last = this.cache.get(metric) ?? this.find(metric, base);
    return this.last;
  }

  private find(metric: string, base: string): MetricProfile {
    const matching = this.compiled
      .filter(({ test }) => test.test(metric) || (base !== metric && test.test(base)))
      .map(({ profile }) => profile);
    const merged = merge(matching, this.policy);
    if (this.cache.size >= MAX_CACHED) this.cache = new Map();
    if (metric.length <= 256) this.cache.set(metric, merged);
    return merged;
  }
}

function merge(profiles: readonly ProfilePolicy[], { limits }: Policy): MetricProfile {
  const first = <K extends keyof ProfilePolicy>(key: K): ProfilePolicy[K] | undefined =>
    profiles.find((profile) => profile[key] !== undefined)?.[key];
  const budgets = new Map<string, number>();
  const [keep, drop] = [new Set<string>(), new Set<string>()];
  for (const profile of profiles) {
    for (const [label, budget] of Object.entries(profile.budgets ?? {})) {
      if (!budgets.has(label)) budgets.set(label, budget);
    }
    // What a profile further in front keeps, one behind it can't drop, and the reverse.
    for (const label of profile.keep ?? []) if (!drop.has(label)) keep.add(label);
    for (const label of profile.drop ?? []) if (!keep.has(label)) drop.add(label);
  }
  return {
    contract: first('contract') ?? false,
    otherLabels: first('otherLabels') ?? 'keep',
    infrastructure: first('infrastructure') ?? 'keep',
    aliases: first('aliases') ?? 'qualified',
    keep,
    drop,
    budgets,
    otherBudget: first('otherBudget') ?? limits.otherBudget,
    gauges: first('gauges'),
    seriesPerMetric: first('seriesPerMetric') ?? limits.seriesPerMetric,
  };
}

/** A test for names that one of the globs matches: `*` is any characters, `?` is one. */
export function globTest(globs: readonly string[]): RegExp {
  const sources = globs.map((glob) =>
    // Runs of stars are one, so that no name takes long to test.
    glob.replaceAll(/\*+|\?|[^*?]+/g, (part) => {
      if (part.startsWith('*')) return '.*';
      return part === '?' ? '.' : part.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&');
    }),
  );
  return new RegExp(`^(?:${sources.join('|')})$`, 's');
}
