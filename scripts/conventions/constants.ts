import { expandEngines } from './engines.ts';
import type { Plain } from './print.ts';
import type { Conventions } from './schema.ts';

/** A constant, or a type derived from the conventions, that stands in generated files. */
export interface Declaration {
  readonly name: string;
  readonly doc: string;
  /** The constant's type; `'type'` declares a union of strings by that name instead of a constant. */
  readonly type: string;
  /** Types that must stand in the same file. */
  readonly needs: readonly string[];
  readonly value: Plain;
}

/** Every declaration that the conventions give, by name. */
export function declarationsOf(conventions: Conventions): ReadonlyMap<string, Declaration> {
  const all = [
    ...labelDeclarations(conventions),
    ...metricDeclarations(conventions),
    ...attributeDeclarations(conventions),
    ...spanDeclarations(conventions),
    ...logDeclarations(conventions),
    ...engineDeclarations(conventions),
    ...outcomeDeclarations(conventions),
  ];
  return new Map(all.map((declaration) => [declaration.name, declaration]));
}

function labelDeclarations({ labels }: Conventions): Declaration[] {
  const outcome = labels.structural.outcome.values ?? [];
  const tokenType = labels.structural.token_type.values ?? [];
  const spec = (label: (typeof labels.allowed)[string]): Plain => ({
    help: label.help,
    budget: label.budget ?? label.values?.length,
    values: label.values,
    opaque: label.opaque,
  });
  const table = (name: string, key: string, doc: string, specs: typeof labels.allowed): Declaration[] => [
    union(key, `A name of ${name}.`, Object.keys(specs)),
    {
      name,
      doc,
      type: `Readonly<Record<${key}, LabelSpec>>`,
      needs: [key, 'LabelSpec'],
      value: mapValues(specs, spec),
    },
  ];
  const { dimensions, meaning } = labels.fleet;
  return [
    ...table('ALLOWED_LABELS', 'AllowedLabel', 'Kept, each with a budget of distinct values.', labels.allowed),
    ...table('STRUCTURAL_LABELS', 'StructuralLabel', 'Kept; small closed or budgeted sets.', labels.structural),
    ...table(
      'INFRASTRUCTURE_LABELS',
      'InfrastructureLabel',
      'Kept for infrastructure metrics, folded away on the fleet level.',
      labels.infrastructure,
    ),
    list('LABEL_NAMES', 'The names of all labels of the taxonomy.', 'string', [
      ...Object.keys(labels.allowed),
      ...Object.keys(labels.structural),
      ...Object.keys(labels.infrastructure),
    ]),
    list(
      'NEVER_LABELS',
      'Families of names that are removed whatever the source; judged after the aliases.',
      'NeverLabel',
      labels.never.map(({ rule, why, pattern }) => ({ rule, why, pattern })),
    ),
    list(
      'LABEL_ALIASES',
      'How names are brought onto the taxonomy; a target that is present already wins, and an original may serve several.',
      'LabelAlias',
      labels.aliases.map(({ target, originals }) => ({
        target,
        originals: originals.map((original) => original.name),
        kept: originals.filter((original) => original.keep).map((original) => original.name),
      })),
    ),
    list('FLEET_LABELS', 'All labels that the fleet level keeps.', 'string', [...dimensions, ...meaning]),
    list('FLEET_DIMENSIONS', 'The labels by which the fleet level is divided.', 'string', dimensions),
    list(
      'FLEET_MEANING_LABELS',
      'The labels that the fleet level keeps because a sum over them would mix different things.',
      'string',
      meaning,
    ),
    list(
      'STREAM_LABELS',
      'The labels that the attributes of a log record give to its stream.',
      'string',
      labels.streams.labels,
    ),
    union('Outcome', 'What the user got.', outcome),
    list('OUTCOMES', 'The values of the label outcome.', 'Outcome', outcome),
    union('TokenType', 'Which tokens are counted.', tokenType),
    list('TOKEN_TYPES', 'The values of the label token_type.', 'TokenType', tokenType),
  ];
}

function metricDeclarations({ metrics }: Conventions): Declaration[] {
  const entries = Object.entries(metrics.metrics);
  const full = entries.map(([name, metric]): [string, Plain] => [
    name,
    {
      name,
      type: metric.type,
      unit: metric.unit,
      help: metric.help,
      labels: metric.labels,
      labelValues: metric.label_values,
      otel: metric.otel,
      aggregation: metric.type === 'gauge' ? metric.aggregation : undefined,
      buckets: metric.type === 'histogram' ? metrics.buckets[metric.buckets] : undefined,
      classic: metric.type === 'histogram' ? metric.classic : undefined,
      fleet: metric.fleet,
      informational: metric.informational,
    },
  ]);
  const summaries = entries.map(([name, { type, unit, help, labels, informational }]): [string, Plain] => [
    name,
    { name, type, unit, help, labels, informational },
  ]);
  return [
    union('MetricName', 'A name of METRICS.', Object.keys(metrics.metrics)),
    record('METRICS', 'Every metric of the contract.', 'MetricName', 'MetricSpec', full),
    {
      ...record('METRICS', 'Every metric of the contract.', 'MetricName', 'MetricSummary', summaries),
      name: 'METRIC_SUMMARIES',
    },
    union(
      'TokenBucketValue',
      'A value of the label token_bucket.',
      metrics.token_buckets.map((bucket) => bucket.value),
    ),
    list('TOKEN_BUCKETS', 'Size classes of prompts, smallest first.', 'TokenBucket', metrics.token_buckets),
  ];
}

function attributeDeclarations({ attributes }: Conventions): Declaration[] {
  const renames = Object.entries(attributes.genai).flatMap(([name, { was }]) =>
    was.map((old): [string, Plain] => [old, name]),
  );
  return [
    {
      name: 'GENAI_ATTRIBUTES',
      doc: 'Span attributes that hold no content.',
      type: 'Readonly<Record<string, AttributeSpec>>',
      needs: ['AttributeSpec'],
      value: attributes.genai,
    },
    {
      name: 'ATTRIBUTE_RENAMES',
      doc: 'The current name of each older attribute.',
      type: 'Readonly<Record<string, string>>',
      needs: [],
      value: Object.fromEntries(renames),
    },
    list(
      'CONTENT_ATTRIBUTES',
      'Attributes that are refused in every signal and on every path.',
      'ContentAttribute',
      attributes.content.map(({ match, name, source, why }) => ({ match, name, source, why })),
    ),
    list(
      'CONTENT_EVENTS',
      'Events of which only the name and the time are kept.',
      'ContentEvent',
      attributes.content_events,
    ),
  ];
}

function spanDeclarations({ spans }: Conventions): Declaration[] {
  return [
    union(
      'SpanStageName',
      'A step of the semantic path.',
      spans.stages.map((stage) => stage.name),
    ),
    list(
      'SPAN_STAGES',
      "The steps of a request's semantic path, in order.",
      'SpanStage',
      spans.stages.map(({ duration, help, ...stage }) => ({ ...stage, durationAttribute: duration, help })),
    ),
  ];
}

function logDeclarations({ logs }: Conventions): Declaration[] {
  const rules = logs.rules.map(({ escalate, example, ...rule }) => ({
    ...rule,
    escalate: escalate && { stage: escalate.stage, perMinute: escalate.per_minute },
    example,
  }));
  // A class has several rules, which the checks hold to one severity, stage and role.
  const classes = new Map(
    logs.rules.map(({ class: name, severity, stage, role }) => [name, { severity, stage, role }]),
  );
  return [
    union('LogClass', 'A class of log lines.', [...classes.keys()]),
    list('LOG_STAGES', 'How far a failure has come, first to last.', 'LogStage', logs.stages),
    {
      name: 'LOG_FIELDS',
      doc: "The fields of the events that services write, beside the contract's labels.",
      type: 'Readonly<Record<string, LogField>>',
      needs: ['LogField'],
      value: logs.fields,
    },
    list(
      'LOG_CLASS_RULES',
      'Rules that classify lines of GPUs and engines; the first that matches gives the class.',
      'LogClassRule',
      rules,
    ),
    record('LOG_CLASSES', 'What each class of log lines means.', 'LogClass', 'LogClassSummary', [...classes]),
  ];
}

/** Gauges of engines that become one of the contract's gauges as they are, by the engine's name. */
function engineGauges({ engines, metrics }: Conventions): Declaration {
  const gauges: Record<string, string> = {};
  for (const engine of Object.values(expandEngines(engines.engines))) {
    for (const { source, target, ratio_of } of engine.metrics) {
      if (ratio_of === undefined && metrics.metrics[target]?.type === 'gauge') gauges[source] = target;
    }
  }
  const doc = "Gauges of model servers and the contract's gauges that they are.";
  return {
    name: 'ENGINE_GAUGES',
    doc,
    type: 'Readonly<Record<string, MetricName>>',
    needs: ['MetricName'],
    value: gauges,
  };
}

function engineDeclarations(conventions: Conventions): Declaration[] {
  const { engines } = conventions;
  const specs = mapValues(expandEngines(engines.engines), ({ labels, like: _, metrics, ...engine }) => ({
    ...engine,
    labelSources: labels,
    metrics: metrics.map(({ value_labels, known_by, ratio_of, ...metric }) => ({
      ...metric,
      valueLabels: value_labels,
      knownBy: known_by,
      ratioOf: ratio_of,
    })),
  }));
  return [
    engineGauges(conventions),
    union('Engine', 'A model server whose metrics are known.', Object.keys(engines.engines)),
    record(
      'ENGINE_METRICS',
      "How metrics of model servers become the contract's.",
      'Engine',
      'EngineSpec',
      Object.entries(specs),
    ),
    list(
      'DCGM_FIELDS',
      "How fields of dcgm-exporter become the contract's metrics; values above 1e18 stand for what isn't supported.",
      'DcgmField',
      engines.dcgm.map((field) => ({
        field: field.field,
        id: field.id,
        renamed: field.renamed,
        csvType: field.csv_type,
        defaultState: field.default,
        target: field.target,
        labels: field.labels,
        conversion: field.conversion,
        factor: field.factor,
        help: field.help,
      })),
    ),
    list(
      'THROTTLE_REASONS',
      'Bits of the mask of clock event reasons; read it as a BigInt, because unknown bits must be kept.',
      'ThrottleReason',
      engines.throttle_reasons.map(({ nvidia_smi, clock_event, counter, help, ...reason }) => ({
        ...reason,
        nvidiaSmi: nvidia_smi,
        clockEvent: clock_event,
        counter,
        help,
      })),
    ),
  ];
}

function outcomeDeclarations({ outcomes }: Conventions): Declaration[] {
  const table = (name: string, doc: string, names: typeof outcomes.error_types): Declaration => ({
    name,
    doc,
    type: 'Readonly<Record<string, Outcome>>',
    needs: ['Outcome'],
    value: Object.fromEntries(Object.entries(names).flatMap(([outcome, all]) => all.map((one) => [one, outcome]))),
  });
  return [
    table(
      'FINISH_REASON_OUTCOMES',
      'What a finish reason in lower case says; an unknown one is no failure.',
      outcomes.finish_reasons,
    ),
    table(
      'ERROR_TYPE_OUTCOMES',
      'What the last part of an error type in lower case says; an unknown one is an error.',
      outcomes.error_types,
    ),
  ];
}

function union(name: string, doc: string, values: readonly string[]): Declaration {
  return { name, doc, type: 'type', needs: [], value: values };
}

function list(name: string, doc: string, member: string, value: readonly Plain[]): Declaration {
  return { name, doc, type: `readonly ${member}[]`, needs: member === 'string' ? [] : [member], value };
}

function record(
  name: string,
  doc: string,
  key: string,
  member: string,
  entries: readonly (readonly [string, Plain])[],
): Declaration {
  const value = Object.fromEntries(entries);
  return { name, doc, type: `Readonly<Record<${key}, ${member}>>`, needs: [key, member], value };
}

function mapValues<In>(from: Readonly<Record<string, In>>, map: (value: In) => Plain): Record<string, Plain> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, map(value)]));
}
