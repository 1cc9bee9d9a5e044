import { parseDurationMs } from '../model/index.ts';
import { createPolicy, type PolicyChanges } from './default-policy.ts';
import type { AliasPolicy, GovernLimits, LabelPolicy, Policy, ProfilePolicy } from './policy.ts';
import { LIMIT_KEYS, type LimitKey, type PolicyFile } from './policy-schema.ts';
import type { RelabelConfig } from './relabel.ts';

/** What a checked file changes in the conventions' policy. */
export function changesOf(file: PolicyFile, base: Policy): PolicyChanges {
  const removed = Object.entries(file.labels).filter(([, { class: labelClass }]) => labelClass === 'never');
  const { content } = base;
  return {
    labels: labelsWith(file, base),
    never: unique([
      ...base.never,
      ...file.never,
      ...removed.map(([label]) => ({ rule: 'policy', pattern: escaped(label) })),
    ]),
    aliases: unique([...file.aliases.map(aliasOf), ...base.aliases]),
    profiles: unique([...gaugeProfiles(file), ...file.profiles.map(profileOf), ...base.profiles]),
    relabelConfigs: file.relabel_configs.map((config) => withoutUndefined(config) as RelabelConfig),
    limits: Object.fromEntries(
      Object.entries(file.limits).flatMap(([key, value]) =>
        value === undefined ? [] : [[LIMIT_KEYS[key as LimitKey], value]],
      ),
    ),
    ...(file.fleet.labels && { fleetLabels: file.fleet.labels }),
    ...(file.fleet.resolution !== undefined && { fleetResolutionMs: parseDurationMs(file.fleet.resolution) }),
    ...(file.stream_labels && { streamLabels: file.stream_labels }),
    content: {
      exact: unique([...content.exact, ...file.content.attributes]),
      prefixes: unique([...content.prefixes, ...file.content.prefixes]),
      patterns: unique([...content.patterns, ...file.content.patterns]),
      events: unique([...content.events, ...file.content.events]),
      logFields: unique([...content.logFields, ...file.content.log_fields.map(plainField)]),
      descriptions: unique([...content.descriptions, ...file.content.descriptions]),
    },
  };
}

function labelsWith({ labels }: PolicyFile, base: Policy): Record<string, LabelPolicy> {
  const out: Record<string, LabelPolicy> = { ...base.labels };
  for (const [label, { class: labelClass, budget, values, opaque }] of Object.entries(labels)) {
    if (labelClass === 'never') {
      delete out[label];
      continue;
    }
    const known = Object.hasOwn(base.labels, label) ? base.labels[label] : undefined;
    out[label] = {
      class: labelClass ?? known?.class ?? 'allowed',
      budget: budget ?? known?.budget,
      values: values ?? known?.values,
      opaque: opaque ?? known?.opaque ?? false,
    };
  }
  return out;
}

function aliasOf({ to, from, metric_prefix }: PolicyFile['aliases'][number]): AliasPolicy {
  return metric_prefix === undefined
    ? { target: to, originals: from }
    : { target: to, originals: from, metricPrefix: metric_prefix };
}

function gaugeProfiles({ gauges }: PolicyFile): ProfilePolicy[] {
  return Object.entries(gauges).map(([metric, rule]) => ({ match: [metric], gauges: rule }));
}

function profileOf(of: PolicyFile['profiles'][number]): ProfilePolicy {
  return withoutUndefined({
    match: of.match,
    contract: of.contract,
    otherLabels: of.other_labels,
    infrastructure: of.infrastructure,
    keep: of.keep,
    drop: of.drop,
    aliases: of.aliases,
    budgets: of.budgets,
    otherBudget: of.other_budget,
    gauges: of.gauges,
    seriesPerMetric: of.series_per_metric,
  }) as ProfilePolicy;
}

/** The policy in the form of the file, complete; reading it back gives the same policy. */
export function describePolicy(policy: Policy): Record<string, unknown> {
  const keys = Object.entries(LIMIT_KEYS) as [LimitKey, keyof GovernLimits][];
  return {
    labels: {
      ...Object.fromEntries(
        Object.entries(policy.labels).map(([label, of]) => [
          label,
          withoutUndefined({ ...of, opaque: of.opaque ? true : undefined }),
        ]),
      ),
      ...Object.fromEntries(
        Object.keys(createPolicy().labels)
          .filter((label) => !Object.hasOwn(policy.labels, label))
          .map((label) => [label, { class: 'never' }]),
      ),
    },
    never: policy.never,
    aliases: policy.aliases.map(({ target, originals, metricPrefix }) =>
      withoutUndefined({
        to: target,
        from: originals.map((of) => (of.keep ? of : of.name)),
        metric_prefix: metricPrefix,
      }),
    ),
    profiles: policy.profiles.map((of) =>
      withoutUndefined({
        match: of.match,
        contract: of.contract,
        other_labels: of.otherLabels,
        infrastructure: of.infrastructure,
        keep: of.keep,
        drop: of.drop,
        aliases: of.aliases,
        budgets: of.budgets,
        other_budget: of.otherBudget,
        gauges: of.gauges,
        series_per_metric: of.seriesPerMetric,
      }),
    ),
    relabel_configs: policy.relabelConfigs,
    limits: Object.fromEntries(keys.map(([key, member]) => [key, policy.limits[member]])),
    fleet: { labels: policy.fleetLabels, resolution: `${policy.fleetResolutionMs}ms` },
    stream_labels: policy.streamLabels,
    content: {
      attributes: policy.content.exact,
      prefixes: policy.content.prefixes,
      patterns: policy.content.patterns,
      events: policy.content.events,
      log_fields: policy.content.logFields,
      descriptions: policy.content.descriptions,
    },
  };
}

/** A field's name as content rules compare it: in lower case, without separators. */
function plainField(field: string): string {
  return field.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function escaped(literal: string): string {
  return literal.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

function unique<T>(list: readonly T[]): T[] {
  return [...new Map(list.map((entry) => [JSON.stringify(entry), entry])).values()];
}

function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
