import { z } from 'zod';
import { parseDurationMs } from '../model/index.ts';
import { parsePromql } from '../query/index.ts';
import { windowsOf } from './catalogue.ts';
import { badSlo, checkDocument, placeOf, type SloDocument } from './documents.ts';
import type { Indicator } from './objective.ts';
import { share } from './objective-file.ts';
import type { ReadObjectives } from './sloth.ts';

const metric = z.strictObject({ metric: z.string() });
const grouping = z.array(z.string()).nullish();
const texts = z.record(z.string(), z.coerce.string()).nullish();
const gauge = z.strictObject({ metric: z.string(), grouping });
/** Pyrra's custom resource, https://github.com/pyrra-dev/pyrra. */
const pyrraSchema = z.strictObject({
  apiVersion: z.literal('pyrra.dev/v1alpha1'),
  kind: z.literal('ServiceLevelObjective'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional(), labels: texts, annotations: texts }),
  spec: z.looseObject({
    target: z.coerce.number().gt(0).lt(100),
    window: z.string(),
    description: z.string().nullish(),
    alerting: z.looseObject({ disabled: z.boolean().optional(), name: z.string().optional() }).nullish(),
    indicator: z.strictObject({
      ratio: z.strictObject({ errors: metric, total: metric, grouping }).optional(),
      latency: z.strictObject({ success: metric, total: metric, grouping }).optional(),
      latencyNative: z.strictObject({ latency: z.string(), total: metric, grouping }).optional(),
      bool_gauge: gauge.optional(),
      boolGauge: gauge.optional(),
    }),
  }),
});
type PyrraIndicator = z.infer<typeof pyrraSchema>['spec']['indicator'];

const DAY_MS = 86_400_000;

/**
 * Reads a Pyrra objective with Pyrra's windows and factors. Owner, runbook and impact are taken from annotations or
 * labels `owner`, `team`, `runbook_url`, `impact`, with or without `pyrra.dev/` before them.
 * @throws BarographError `bad_slo` with file, line and key.
 */
export function readPyrra(document: SloDocument): ReadObjectives {
  const { metadata, spec } = checkDocument(pyrraSchema, document);
  const indicatorAt = placeOf(document, ['spec', 'indicator']);
  let ms: number;
  try {
    ms = parseDurationMs(spec.window);
  } catch {
    throw badSlo(
      placeOf(document, ['spec', 'window']),
      JSON.stringify(spec.window.slice(0, 40)),
      'a duration such as 4w',
      undefined,
    );
  }
  const { indicator, by } = indicatorOf(spec.indicator, indicatorAt);
  const said = { ...metadata.labels, ...metadata.annotations };
  const of = (key: string) => said[key] ?? said[`pyrra.dev/${key}`];
  const alerts = spec.alerting?.disabled !== true;
  const objective = {
    place: { file: document.file, line: document.lineOf(['metadata', 'name']) },
    service: metadata.namespace ?? 'pyrra',
    name: metadata.name,
    description: spec.description ?? undefined,
    target: share(spec.target),
    targets: undefined,
    period: { kind: 'rolling', ms },
    by,
    indicator,
    resolutionMs: ms < 28 * DAY_MS ? 60_000 : 300_000,
    windows: windowsOf('pyrra', ms),
    page: alerts,
    notify: alerts,
    alert: spec.alerting?.name ?? 'ErrorBudgetBurn',
    owner: of('owner') ?? of('team'),
    runbookUrl: of('runbook_url') ?? of('runbook'),
    impact: of('impact'),
    lowTraffic: { minimumEvents: 0, syntheticGoodPerHour: 0 },
    trafficAware: false,
    labels: {},
  } as const;
  return { objectives: [objective], warnings: [] };
}

function indicatorOf(written: PyrraIndicator, where: string): { indicator: Indicator; by: readonly string[] } {
  const { ratio, latency, latencyNative } = written;
  const up = written.bool_gauge ?? written.boolGauge;
  if (ratio) {
    const indicator: Indicator = { kind: 'ratio', counts: 'bad', part: ratio.errors.metric, total: ratio.total.metric };
    return { indicator, by: ratio.grouping ?? [] };
  }
  if (latency) {
    const indicator: Indicator = {
      kind: 'ratio',
      counts: 'good',
      part: latency.success.metric,
      total: latency.total.metric,
    };
    return { indicator, by: latency.grouping ?? [] };
  }
  if (latencyNative) {
    const { name, conditions } = splitSelector(latencyNative.total.metric, where);
    const threshold = parseDurationMs(latencyNative.latency) / 1000;
    const indicator: Indicator = {
      kind: 'histogram',
      metric: name,
      conditions,
      threshold,
      good: 'at_most',
      form: 'native',
      bounds: undefined,
    };
    return { indicator, by: latencyNative.grouping ?? [] };
  }
  if (up) return { indicator: { kind: 'up', selector: up.metric }, by: up.grouping ?? [] };
  throw badSlo(where, 'no indicator', 'ratio, latency, latencyNative or bool_gauge', undefined);
}

/** `name{conditions}` in its two parts. */
function splitSelector(text: string, where: string): { name: string; conditions: string } {
  const match = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*?),?\s*\})?\s*$/s.exec(text);
  let isSelector = match !== null;
  try {
    isSelector &&= parsePromql(text).kind === 'selector';
  } catch {
    isSelector = false;
  }
  if (!match || !isSelector)
    throw badSlo(where, JSON.stringify(text.slice(0, 80)), 'a selector such as name{job="x"}', undefined);
  return { name: match[1], conditions: match[2] ?? '' };
}
