import { z } from 'zod';
import { parseDurationMs } from '../model/index.ts';
import type { GovernLimits } from './policy.ts';
import { RELABEL_ACTIONS } from './relabel.ts';

const GAUGE_RULES = ['sum', 'max', 'avg', 'last'] as const;
/** Stars of one glob: each one more makes testing a long name slower by its length. */
const MAX_STARS = 4;

const count = z.int().min(0);
const positive = z.int().min(1);
const name = z.string().min(1).max(256);
const glob = name.refine((text) => text.split(/\*+/).length <= MAX_STARS + 1, {
  error: `a name with at most ${MAX_STARS} stars`,
});
const pattern = z
  .string()
  .max(1000)
  .refine(isPattern, { error: 'an expression in RE2 syntax, without named groups and classes in brackets' });
/** A text; a number or boolean of YAML is taken as it is written. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);

export const label = z.strictObject({
  class: z.enum(['allowed', 'structural', 'infrastructure', 'never']).optional(),
  budget: positive.optional(),
  values: z.array(text).min(1).optional(),
  opaque: z.boolean().optional(),
});

/** A name that becomes another one, and where it stays beside it. */
const original = z
  .union([name, z.strictObject({ name, keep: z.boolean() })])
  .transform((of) => (typeof of === 'string' ? { name: of, keep: false } : of));

export const profile = z.strictObject({
  match: z.union([glob, z.array(glob).min(1)]).transform((globs) => (typeof globs === 'string' ? [globs] : globs)),
  contract: z.boolean().optional(),
  other_labels: z.enum(['keep', 'drop']).optional(),
  infrastructure: z.enum(['keep', 'drop', 'listed']).optional(),
  keep: z.array(name).optional(),
  drop: z.array(name).optional(),
  aliases: z.enum(['all', 'qualified']).optional(),
  budgets: z.record(name, positive).optional(),
  other_budget: positive.optional(),
  gauges: z.enum(GAUGE_RULES).optional(),
  series_per_metric: count.optional(),
});

export const relabelConfig = z.strictObject({
  source_labels: z.array(text).optional(),
  separator: text.optional(),
  regex: text.optional(),
  modulus: count.optional(),
  target_label: text.optional(),
  replacement: text.optional(),
  action: z
    .string()
    .refine((action) => RELABEL_ACTIONS.some((known) => known === action.toLowerCase()), {
      error: RELABEL_ACTIONS.join(', '),
    })
    .optional(),
});

/** The limits' names in the file, and in the policy. */
export const LIMIT_KEYS = {
  labels_per_series: 'labelsPerSeries',
  name_bytes: 'nameBytes',
  value_bytes: 'valueBytes',
  attribute_bytes: 'attributeBytes',
  attributes_per_object: 'attributesPerObject',
  events_per_span: 'eventsPerSpan',
  links_per_span: 'linksPerSpan',
  log_line_bytes: 'logLineBytes',
  taxonomy_budget: 'taxonomyBudget',
  infrastructure_budget: 'infrastructureBudget',
  other_budget: 'otherBudget',
  budget_entries: 'budgetEntries',
  metric_names: 'metricNames',
  series: 'series',
  series_per_metric: 'seriesPerMetric',
  new_series_per_minute: 'newSeriesPerMinute',
  streams: 'streams',
} as const satisfies Record<string, keyof GovernLimits>;
export type LimitKey = keyof typeof LIMIT_KEYS;

/** Limits for which 0 means none. */
const UNLIMITABLE: ReadonlySet<string> = new Set(['series', 'series_per_metric', 'new_series_per_minute']);
const limits = z.strictObject(
  Object.fromEntries(
    Object.keys(LIMIT_KEYS).map((key) => [key, (UNLIMITABLE.has(key) ? count : positive).optional()]),
  ) as unknown as Record<LimitKey, z.ZodOptional<typeof count>>,
);

/** The policy's file, or the part `govern` of the configuration. */
export const policyFile = z.strictObject({
  /** By name: what is added to the taxonomy, or replaced in it. */
  labels: z.record(name, label).default({}),
  /** Names beside the conventions' that no label may have. */
  never: z.array(z.strictObject({ rule: z.string().regex(/^[a-z][a-z0-9_]{0,31}$/), pattern })).default([]),
  aliases: z
    .array(
      z.strictObject({ to: name.or(z.literal('')), from: z.array(original).min(1), metric_prefix: name.optional() }),
    )
    .default([]),
  /** Before the profiles of the conventions. */
  profiles: z.array(profile).default([]),
  /** How gauges are joined, by the metric's name or a glob. */
  gauges: z.record(glob, z.enum(GAUGE_RULES)).default({}),
  relabel_configs: z.array(relabelConfig).max(200).default([]),
  limits: limits.prefault({}),
  fleet: z
    .strictObject({
      labels: z.array(name).optional(),
      resolution: z
        .string()
        .refine((duration) => isDuration(duration), { error: 'a duration such as 15s, or 0s' })
        .optional(),
    })
    .prefault({}),
  /** Labels that a log record's own attributes may give to its stream. */
  stream_labels: z.array(name).optional(),
  /** Beside the conventions'; what these refuse can't be allowed. */
  content: z
    .strictObject({
      attributes: z.array(name).default([]),
      prefixes: z.array(name).default([]),
      patterns: z.array(pattern).default([]),
      events: z.array(name).default([]),
      log_fields: z.array(name).default([]),
      descriptions: z.array(name).default([]),
    })
    .prefault({}),
  /** By tenant, what is other than everybody's: the same keys. */
  tenants: z.record(name, z.unknown()).default({}),
});
/** A policy as it was written, checked key by key. */
export type PolicyFile = z.infer<typeof policyFile>;

function isPattern(source: string): boolean {
  if (/\(\?[P<!=]|\\[pPzAQE]|\[\[:/.test(source)) return false;
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}

function isDuration(duration: string): boolean {
  try {
    return parseDurationMs(duration) >= 0;
  } catch {
    return false;
  }
}
