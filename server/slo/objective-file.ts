import { z } from 'zod';
import { METRICS, type MetricName, OUTCOMES } from '../model/generated/conventions.ts';
import { parseDurationMs } from '../model/index.ts';
import { type BurnWindow, CATALOGUES, windowsOf } from './catalogue.ts';
import { badSlo, checkDocument, placeOf, type SloDocument } from './documents.ts';
import { type Indicator, type Objective, type Period, periodMs, type TierTargets } from './objective.ts';

/** What stands in `version` of a file of Barograph's own objectives. */
export const OBJECTIVES_VERSION = 'barograph/v1';

const duration = z.string().refine(isDuration, 'not a duration such as 5m or 30d, above 0');
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'not a name of a–z, 0–9 and -, at most 63 long');
const labelName = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'not the name of a label');
const percent = z.number().gt(0, 'not above 0 %').lt(100, 'not below 100 %: there would be no budget');
const selector = z.string().regex(/^\{.*\}$/s, 'not conditions in braces, such as {stage="engine"}');

const histogramKeys = {
  metric: z.string().optional(),
  selector: selector.optional(),
  histogram: z.enum(['classic', 'native']).default('classic'),
  buckets: z.array(z.number()).nonempty().optional(),
};
const latency = { ...histogramKeys, threshold: duration };
const indicator = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ttft'), ...latency }),
  z.strictObject({ kind: z.literal('total_latency'), ...latency }),
  z.strictObject({ kind: z.literal('time_per_output_token'), ...latency }),
  z.strictObject({
    kind: z.literal('throughput'),
    ...histogramKeys,
    /** Tokens a second that an answer must be faster than. */
    minimum: z.number().positive(),
  }),
  z.strictObject({
    kind: z.literal('error_rate'),
    selector: selector.optional(),
    bad: z.array(z.enum(OUTCOMES)).nonempty().default(['error', 'timeout', 'empty']),
    ignored: z.array(z.enum(OUTCOMES)).default(['cancelled']),
  }),
  z.strictObject({ kind: z.literal('gpu_availability'), selector: selector.optional() }),
  z.strictObject({
    kind: z.literal('histogram'),
    ...histogramKeys,
    metric: z.string(),
    at_most: z.number().optional(),
    above: z.number().optional(),
  }),
  z.strictObject({ kind: z.literal('up'), metric: z.string() }),
  z.strictObject({
    kind: z.literal('ratio'),
    good: z.string().optional(),
    bad: z.string().optional(),
    total: z.string(),
  }),
]);
type FileIndicator = z.infer<typeof indicator>;

const window = z.strictObject({
  class: z.enum(['page', 'notify']),
  long: duration,
  short: duration,
  /** Percent of the budget that may be gone. */
  budget: z.number().gt(0).lte(100),
  for: duration.optional(),
});

const shared = {
  target: percent.optional(),
  targets: z.record(labelName, z.record(z.string().min(1), percent)).optional(),
  period: z.union([duration, z.strictObject({ calendar: z.enum(['month', 'quarter']) })]).optional(),
  by: z.array(labelName).optional(),
  resolution: duration.optional(),
  windows: z.union([z.enum(CATALOGUES), z.array(window).nonempty()]).optional(),
  page: z.boolean().optional(),
  notify: z.boolean().optional(),
  alert: z
    .string()
    .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'not a name of an alert')
    .optional(),
  owner: z.string().min(1).optional(),
  runbook_url: z
    .string()
    .regex(/^https?:\/\//, 'not an http or https URL')
    .optional(),
  impact: z.string().min(1).optional(),
  low_traffic: z
    .strictObject({
      minimum_events: z.number().int().nonnegative().default(0),
      synthetic_good_per_hour: z.number().nonnegative().default(0),
    })
    .optional(),
  traffic_aware: z.boolean().optional(),
  labels: z.record(labelName, z.coerce.string()).optional(),
};

const objectiveSchema = z.strictObject({
  name,
  description: z.string().optional(),
  indicator,
  ...shared,
});

const fileSchema = z.strictObject({
  version: z.literal(OBJECTIVES_VERSION),
  service: name,
  /** What all objectives of the file take, unless they say otherwise. */
  defaults: z.strictObject(shared).optional(),
  objectives: z.array(objectiveSchema).nonempty().max(1000),
});

/** A file of Barograph's own objectives as data, before defaults. */
export type ObjectiveFile = z.input<typeof fileSchema>;
type FileObjective = z.infer<typeof objectiveSchema>;

function isDuration(text: string): boolean {
  try {
    return parseDurationMs(text) > 0;
  } catch {
    return false;
  }
}

/**
 * Reads a document of Barograph's own objectives, with defaults filled in.
 * @throws BarographError `bad_slo`, `slo_page_incomplete` with file, line and key.
 */
export function readObjectives(document: SloDocument): Objective[] {
  const file = checkDocument(fileSchema, document);
  return file.objectives.map((own, index) => {
    const path = ['objectives', index];
    const merged = { ...file.defaults, ...own } as FileObjective;
    return completed(document, path, file.service, merged);
  });
}

function completed(
  document: SloDocument,
  path: readonly (string | number)[],
  service: string,
  own: FileObjective,
): Objective {
  const at = (...keys: string[]) => placeOf(document, [...path, ...keys]);
  if (own.target === undefined) throw badSlo(at('target'), 'nothing', 'a target in percent, such as 99.5', undefined);
  const period: Period =
    typeof own.period === 'object'
      ? { kind: 'calendar', unit: own.period.calendar }
      : { kind: 'rolling', ms: parseDurationMs(own.period ?? '30d') };
  const windows = typeof own.windows === 'object' ? own.windows.map(ownWindow) : undefined;
  const objective: Objective = {
    place: { file: document.file, line: document.lineOf([...path, 'name']) },
    service,
    name: own.name,
    description: own.description,
    target: share(own.target),
    targets: tierTargets(own, at('targets')),
    period,
    by: own.by ?? [],
    indicator: indicatorOf(own.indicator, at('indicator')),
    resolutionMs: parseDurationMs(own.resolution ?? '5m'),
    windows: windows ?? windowsOf(typeof own.windows === 'string' ? own.windows : 'workbook', periodMs(period)),
    page: own.page ?? true,
    notify: own.notify ?? true,
    alert: own.alert ?? 'SLOBudgetBurn',
    owner: own.owner,
    runbookUrl: own.runbook_url,
    impact: own.impact,
    lowTraffic: {
      minimumEvents: own.low_traffic?.minimum_events ?? 0,
      syntheticGoodPerHour: own.low_traffic?.synthetic_good_per_hour ?? 0,
    },
    trafficAware: own.traffic_aware ?? false,
    labels: own.labels ?? {},
  };
  return objective;
}

function ownWindow(written: z.infer<typeof window>): BurnWindow {
  return {
    class: written.class,
    longMs: parseDurationMs(written.long),
    shortMs: parseDurationMs(written.short),
    budgetShare: share(written.budget),
    forMs: written.for === undefined ? 0 : parseDurationMs(written.for),
  };
}

/** Percent as a share, without the noise of its last digits. */
export function share(value: number): number {
  return Number((value / 100).toPrecision(12));
}

function tierTargets({ targets, by }: FileObjective, where: string): TierTargets | undefined {
  const entries = Object.entries(targets ?? {});
  if (entries.length === 0) return undefined;
  const [[label, values]] = entries;
  if (entries.length > 1) throw badSlo(where, entries.map(([key]) => key).join(' and '), 'one label', undefined);
  if (!by?.includes(label)) {
    throw badSlo(where, label, 'a label that the objective is kept apart by', `add ${label} to by`);
  }
  return { label, values: Object.fromEntries(Object.entries(values).map(([value, own]) => [value, share(own)])) };
}

const METRIC_OF = {
  ttft: 'inference_ttft_seconds',
  total_latency: 'inference_total_latency_seconds',
  time_per_output_token: 'inference_time_per_output_token_seconds',
  throughput: 'inference_tokens_per_second',
} as const satisfies Record<string, MetricName>;

function indicatorOf(written: FileIndicator, where: string): Indicator {
  switch (written.kind) {
    case 'ttft':
    case 'total_latency':
    case 'time_per_output_token':
      return histogramOf(written, METRIC_OF[written.kind], parseDurationMs(written.threshold) / 1000, 'at_most');
    case 'throughput':
      return histogramOf(written, METRIC_OF.throughput, written.minimum, 'above');
    case 'histogram': {
      const { at_most: atMost, above } = written;
      if ((atMost === undefined) === (above === undefined))
        throw badSlo(where, atMost === undefined ? 'neither' : 'both', 'at_most or above', 'say which events are good');
      return histogramOf(
        written,
        written.metric,
        (atMost ?? above) as number,
        above === undefined ? 'at_most' : 'above',
      );
    }
    case 'error_rate': {
      const inner = conditionsOf(written.selector);
      const requests = (condition: string) => {
        return `inference_requests_total{${[inner, condition].filter((text) => text !== '').join(',')}}`;
      };
      const ignored = written.ignored.length > 0 ? `outcome!~"${written.ignored.join('|')}"` : '';
      return {
        kind: 'ratio',
        counts: 'bad',
        part: requests(`outcome=~"${written.bad.join('|')}"`),
        total: requests(ignored),
      };
    }
    case 'gpu_availability':
      return { kind: 'up', selector: `gpu_up${written.selector ?? ''}` };
    case 'up':
      return { kind: 'up', selector: written.metric };
    case 'ratio': {
      const { good, bad, total } = written;
      if ((good === undefined) === (bad === undefined))
        throw badSlo(where, good === undefined ? 'neither good nor bad' : 'good and bad', 'one of the two', undefined);
      return { kind: 'ratio', counts: good === undefined ? 'bad' : 'good', part: (good ?? bad) as string, total };
    }
  }
}

interface HistogramKeys {
  readonly metric?: string;
  readonly selector?: string;
  readonly histogram: 'classic' | 'native';
  readonly buckets?: readonly number[];
}

/** Buckets are what the objective says, or the contract's for the contract's metrics. */
function histogramOf(
  written: HistogramKeys,
  contract: string,
  threshold: number,
  good: 'at_most' | 'above',
): Indicator {
  const metric = written.metric ?? contract;
  const known = Object.hasOwn(METRICS, metric) ? METRICS[metric as MetricName].buckets : undefined;
  const bounds = written.buckets ?? known;
  return {
    kind: 'histogram',
    metric,
    conditions: conditionsOf(written.selector),
    threshold,
    good,
    form: written.histogram,
    bounds: bounds && [...bounds].sort((a, b) => a - b),
  };
}

function conditionsOf(written: string | undefined): string {
  return (written ?? '').replace(/^\{\s*/, '').replace(/,?\s*\}$/, '');
}
