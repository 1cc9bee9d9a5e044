import { LABEL_ALIASES } from '../../model/generated/conventions.ts';

/** What cost is told by: who pays, and what for. */
export const COST_LABELS = [
  'team',
  'service',
  'deployment',
  'namespace',
  'model_version',
  'customer_tier',
  'region',
  'environment',
] as const;

export type CostLabel = (typeof COST_LABELS)[number];

/**
 * Names under which a label stands in series, streams, resources and spans, the preferred first. Those of the taxonomy
 * come from its aliases; a deployment isn't taken from a job here, since `service` tells that already.
 */
const NAMES: Readonly<Record<CostLabel, readonly string[]>> = {
  team: ['team', 'team_name', 'team.name', 'owner_team', 'owner.team'],
  service: ['service', 'service_name', 'service.name', 'job'],
  deployment: ['deployment', 'k8s_deployment_name', 'k8s.deployment.name'],
  namespace: [
    'namespace',
    'k8s_namespace_name',
    'k8s.namespace.name',
    'kubernetes_namespace',
    'service_namespace',
    'service.namespace',
  ],
  model_version: withAliases('model_version'),
  customer_tier: withAliases('customer_tier'),
  region: withAliases('region'),
  environment: withAliases('environment'),
};

/** A label that a name stands for, as its place in `COST_LABELS`, and how far behind in preference, from 0. */
export interface CostName {
  readonly label: number;
  readonly rank: number;
}

/** By name: the labels that it gives. */
export const COST_NAMES: ReadonlyMap<string, CostName> = new Map(
  COST_LABELS.flatMap((label, place) => NAMES[label].map((name, rank) => [name, { label: place, rank }] as const)),
);

/** Names of span attributes that say what a span's resource doesn't: the model and the tier are the request's. */
export const SPAN_NAMES: readonly string[] = (['model_version', 'customer_tier'] as const).flatMap((label) =>
  NAMES[label].filter((name) => name === label || name.includes('.')),
);

function withAliases(label: CostLabel): readonly string[] {
  return [label, ...LABEL_ALIASES.filter(({ target }) => target === label).flatMap(({ originals }) => originals)];
}
