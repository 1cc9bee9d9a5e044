import { z } from 'zod';

// The shapes of conventions/*.yaml. Unknown keys are errors everywhere, because a misspelt key would silently change what
// every workspace does.

const labelName = z.string().regex(/^[a-z][a-z0-9_]*$/, 'a Prometheus label name in lower case');
const metricName = z.string().regex(/^(?:inference|gpu)_[a-z0-9_]+$/, 'a name that begins with inference_ or gpu_');
const sentence = z.string().regex(/^[A-Z].*\.$/, 'a sentence: a capital first, a full stop last, no line break');
const text = z.string().min(1);
// Zod's numbers are finite.
const bound = z.union([z.number().positive(), z.literal(Number.POSITIVE_INFINITY)]);
const labels = z.record(labelName, z.string());

const labelSpec = z.strictObject({
  help: sentence,
  budget: z.int().positive().optional(),
  values: z.array(z.string()).min(1).optional(),
  opaque: z.boolean().default(false),
});

const original = z.union([
  text.transform((name) => ({ name, keep: false })),
  z.strictObject({ name: text, keep: z.boolean() }),
]);

export const labelsSchema = z.strictObject({
  allowed: z.record(labelName, labelSpec),
  structural: z.record(labelName, labelSpec),
  infrastructure: z.record(labelName, labelSpec),
  never: z.array(z.strictObject({ rule: labelName, why: sentence, pattern: text, examples: z.array(text).min(1) })),
  aliases: z.array(z.strictObject({ target: labelName, originals: z.array(original).min(1) })),
  streams: z.strictObject({ labels: z.array(labelName) }),
  fleet: z.strictObject({ dimensions: z.array(labelName), meaning: z.array(labelName) }),
});

const metricShape = {
  unit: text,
  labels: z.array(labelName),
  label_values: z.record(labelName, z.array(z.string()).min(1)).optional(),
  otel: z
    .array(
      z.strictObject({
        name: text,
        unit: text.optional(),
        factor: z.number().positive().optional(),
        labels: labels.optional(),
        only: z.record(z.string(), z.array(text).min(1)).optional(),
      }),
    )
    .default([]),
  fleet: z.boolean(),
  informational: z.boolean().default(false),
  help: sentence,
};

export const metricsSchema = z.strictObject({
  token_buckets: z.array(z.strictObject({ value: text, code: z.string().regex(/^(?:le|gt)\d+k?$/), upper: bound })),
  buckets: z.record(z.string(), z.array(z.number()).min(1)),
  metrics: z.record(
    metricName,
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('counter'), ...metricShape }),
      z.strictObject({ type: z.literal('gauge'), ...metricShape, aggregation: z.enum(['sum', 'max', 'avg', 'last']) }),
      z.strictObject({ type: z.literal('histogram'), ...metricShape, buckets: text, classic: z.boolean() }),
    ]),
  ),
});

const attributeType = z.enum(['string', 'int', 'double', 'boolean', 'string[]']);

export const attributesSchema = z.strictObject({
  genai: z.record(z.string(), z.strictObject({ type: attributeType, was: z.array(text).default([]) })),
  content: z.array(
    z.strictObject({
      match: z.enum(['exact', 'prefix', 'pattern']),
      name: text,
      source: text,
      why: sentence,
      examples: z.array(text).min(1),
    }),
  ),
  content_events: z.array(z.strictObject({ name: text, why: sentence })),
});

export const spansSchema = z.strictObject({
  stages: z.array(
    z.strictObject({
      name: labelName,
      parent: labelName.nullable(),
      kind: z.enum(['internal', 'server', 'client', 'producer', 'consumer']),
      names: z.array(text),
      operations: z.array(text),
      duration: text.optional(),
      help: sentence,
    }),
  ),
});

const logStage = z.enum(['early-warning', 'imminent', 'fatal']);

export const logsSchema = z.strictObject({
  fields: z.record(labelName, z.strictObject({ type: z.enum(['string', 'int']), help: sentence })),
  stages: z.array(logStage),
  rules: z.array(
    z.strictObject({
      id: z.string().regex(/^[a-z]+\.[a-z_]+\/[a-z0-9_]+$/, 'a class, a slash and a source'),
      class: z.string().regex(/^[a-z]+\.[a-z_]+$/),
      severity: z.enum(['notice', 'warning', 'error', 'critical']),
      stage: logStage,
      role: z.enum(['cause', 'consequence']),
      source: text,
      needles: z.array(text).min(1),
      regex: text,
      numeric: z
        .strictObject({ group: z.int().positive(), operator: z.enum(['>=', '<=']), value: z.number() })
        .optional(),
      escalate: z.strictObject({ stage: logStage, per_minute: z.number().positive() }).optional(),
      example: text,
    }),
  ),
});

const glob = z.string().regex(/^[a-zA-Z0-9_:*]+$/, 'a metric name, with * for any rest');

const engineMetric = z.strictObject({
  source: text,
  was: z.array(text).default([]),
  target: metricName,
  labels: labels.default({}),
  value_labels: z
    .array(
      z.strictObject({
        source: text,
        target: labelName,
        values: z.record(z.string(), z.string()),
        otherwise: z.string().default('other'),
      }),
    )
    .default([]),
  only: z.record(z.string(), z.array(z.string()).min(1)).default({}),
  part: z.enum(['sum', 'count']).optional(),
  unless: text.optional(),
  known_by: z.strictObject({ metric: text, label: text }).optional(),
  ratio_of: text.optional(),
  subtract: z.boolean().default(false),
  factor: z.number().positive().default(1),
  needs: sentence.optional(),
  note: sentence.optional(),
});

export const engineSchema = z.strictObject({
  title: text,
  versions: text,
  layer: z.enum(['engine', 'gateway']),
  prefixes: z.array(text),
  recognise: z.array(text).default([]),
  ports: z.array(z.int().positive()).min(1),
  paths: z.array(z.string().startsWith('/')).min(1),
  images: z.array(z.string().toLowerCase()).min(1),
  setup: sentence,
  model: z.strictObject({ path: z.string().startsWith('/'), at: z.array(text).min(1) }).optional(),
  labels: z.record(labelName, z.array(text).min(1)).default({}),
  index: text.optional(),
  copies: z.array(text).default([]),
  like: z.strictObject({ engine: labelName, prefix: text, becomes: text }).optional(),
  metrics: z.array(engineMetric),
  ignored: z.array(z.strictObject({ source: glob, why: sentence })),
});

export const enginesSchema = z.strictObject({
  engines: z.record(labelName, engineSchema),
  dcgm: z.array(
    z.strictObject({
      field: z.string().regex(/^DCGM_FI_[A-Z0-9_]+$/),
      id: z.int().positive(),
      renamed: z
        .string()
        .regex(/^DCGM_FI_[A-Z0-9_]+$/)
        .optional(),
      csv_type: z.enum(['gauge', 'counter']),
      default: z.enum(['on', 'off', 'absent']),
      target: metricName,
      labels: labels.default({}),
      conversion: z.enum(['scale', 'integrate', 'last_event', 'bitmask']),
      factor: z.number().positive(),
      // dcgm-exporter splits its counters file at commas.
      help: sentence.refine((value) => !value.includes(','), 'a sentence without a comma'),
    }),
  ),
  throttle_reasons: z.array(
    z.strictObject({
      bit: z.int().positive(),
      reason: labelName,
      group: z.enum(['idle', 'setting', 'power', 'thermal', 'hardware']),
      benign: z.boolean(),
      nvidia_smi: text,
      clock_event: text,
      counter: text.optional(),
      help: sentence,
    }),
  ),
});

const lowerCase = z.string().regex(/^[a-z0-9_]+$/, 'a name in lower case without dots');

export const outcomesSchema = z.strictObject({
  finish_reasons: z.record(z.string(), z.array(lowerCase).min(1)),
  error_types: z.record(z.string(), z.array(lowerCase).min(1)),
});

/** Everything that conventions/*.yaml says, as it was read. */
export interface Conventions {
  readonly labels: z.infer<typeof labelsSchema>;
  readonly metrics: z.infer<typeof metricsSchema>;
  readonly attributes: z.infer<typeof attributesSchema>;
  readonly spans: z.infer<typeof spansSchema>;
  readonly logs: z.infer<typeof logsSchema>;
  readonly engines: z.infer<typeof enginesSchema>;
  readonly outcomes: z.infer<typeof outcomesSchema>;
}
