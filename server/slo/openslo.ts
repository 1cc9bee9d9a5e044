import { z } from 'zod';
import { parseDurationMs, printDurationMs } from '../model/index.ts';
import { windowsOf } from './catalogue.ts';
import { badSlo, checkDocument, placeOf, type SloDocument } from './documents.ts';
import { eventQueries } from './events.ts';
import { type Indicator, type Objective, type Period, periodMs, type TierTargets } from './objective.ts';
import { share } from './objective-file.ts';
import type { ReadObjectives } from './sloth.ts';

const source = z.strictObject({
  metricSource: z.looseObject({ type: z.string().optional(), spec: z.record(z.string(), z.unknown()) }),
});
const indicatorSpec = z.looseObject({
  thresholdMetric: z.unknown().optional(),
  ratioMetric: z
    .looseObject({
      counter: z.boolean().optional(),
      good: source.optional(),
      bad: source.optional(),
      total: source.optional(),
      raw: z.unknown().optional(),
    })
    .optional(),
});
const metadata = z.looseObject({
  name: z.string(),
  annotations: z.record(z.string(), z.coerce.string()).nullish(),
});
const timeWindow = z.looseObject({
  duration: z.string(),
  isRolling: z.boolean().default(true),
  calendar: z.looseObject({ timeZone: z.string().optional() }).optional(),
});
/** https://github.com/OpenSLO/OpenSLO, `openslo/v1`. */
const sloSchema = z.looseObject({
  apiVersion: z.literal('openslo/v1'),
  kind: z.literal('SLO'),
  metadata,
  spec: z.looseObject({
    description: z.string().nullish(),
    service: z.string(),
    indicator: z.looseObject({ spec: indicatorSpec }).optional(),
    indicatorRef: z.string().optional(),
    timeWindow: z.array(timeWindow).length(1),
    budgetingMethod: z.string(),
    objectives: z
      .array(
        z.looseObject({
          displayName: z.string().optional(),
          target: z.number().optional(),
          targetPercent: z.number().optional(),
        }),
      )
      .nonempty()
      .max(1000),
  }),
});
const sliSchema = z.looseObject({
  apiVersion: z.literal('openslo/v1'),
  kind: z.literal('SLI'),
  metadata,
  spec: indicatorSpec,
});
type Slo = z.infer<typeof sloSchema>;
type IndicatorSpec = z.infer<typeof indicatorSpec>;

/** What Barograph says more than OpenSLO is kept in annotations under this. */
const PREFIX = 'barograph.dev/';

/**
 * Reads the SLOs of OpenSLO documents, and the SLIs that they refer to. Kinds other than SLO and SLI are left out with a
 * warning, since burn-rate alerts are made here.
 * @throws BarographError `bad_slo` for what would mean something else: time slices, thresholds over gauges, time zones.
 */
export function readOpenSlo(documents: readonly SloDocument[]): ReadObjectives {
  const kindOf = (document: SloDocument) => (document.value as { kind?: unknown }).kind;
  const slis = new Map<string, IndicatorSpec>();
  for (const document of documents.filter((one) => kindOf(one) === 'SLI')) {
    const sli = checkDocument(sliSchema, document);
    slis.set(sli.metadata.name, sli.spec);
  }
  const slos = documents.filter((document) => kindOf(document) === 'SLO');
  const warnings = documents.flatMap((document) => {
    const kind = kindOf(document);
    if (kind === 'SLO' || kind === 'SLI' || kind === 'Service' || kind === 'DataSource') return [];
    const place = { file: document.file, line: document.lineOf(['kind']) };
    return [
      { place, text: `an OpenSLO ${String(kind).slice(0, 40)} is left out: alerts are made from the objectives` },
    ];
  });
  return { objectives: slos.flatMap((document) => readSlo(document, slis)), warnings };
}

function readSlo(document: SloDocument, slis: ReadonlyMap<string, IndicatorSpec>): Objective[] {
  const slo = checkDocument(sloSchema, document);
  const { spec } = slo;
  const at = (...path: (string | number)[]) => placeOf(document, ['spec', ...path]);
  if (spec.budgetingMethod !== 'Occurrences') {
    throw badSlo(
      at('budgetingMethod'),
      spec.budgetingMethod,
      'Occurrences',
      'burn is a share of events here, not of time slices',
    );
  }
  const referred = spec.indicatorRef === undefined ? undefined : slis.get(spec.indicatorRef);
  const written = spec.indicator?.spec ?? referred;
  if (!written) throw badSlo(at('indicatorRef'), 'no such SLI', 'an indicator, or an SLI of the same file', undefined);
  const said = slo.metadata.annotations ?? {};
  const of = (key: string) => said[PREFIX + key] ?? said[key];
  const period = periodOf(spec.timeWindow[0], at('timeWindow', 0));
  const alerts = (of('alerts') ?? 'page,notify').split(',');
  return spec.objectives.map((goal, index) => {
    const many = spec.objectives.length > 1;
    const target = goal.target ?? (goal.targetPercent === undefined ? undefined : share(goal.targetPercent));
    if (target === undefined || !(target > 0 && target < 1)) {
      throw badSlo(
        at('objectives', index),
        String(target ?? 'no target'),
        'target above 0 and below 1, or targetPercent',
        undefined,
      );
    }
    return {
      place: { file: document.file, line: document.lineOf(['metadata', 'name']) },
      service: spec.service,
      name: many ? `${slo.metadata.name}-${index + 1}` : slo.metadata.name,
      description: spec.description ?? undefined,
      target,
      targets: tiersOf(of('targets'), at('objectives')),
      period,
      by: (of('by') ?? '').split(',').filter((label) => label !== ''),
      indicator: indicatorOf(written, at('indicator')),
      resolutionMs: parseDurationMs(of('resolution') ?? '5m'),
      windows: windowsOf(of('windows') === 'pyrra' ? 'pyrra' : 'workbook', periodMs(period)),
      page: alerts.includes('page'),
      notify: alerts.includes('notify'),
      alert: of('alert') ?? 'SLOBudgetBurn',
      owner: of('owner'),
      runbookUrl: of('runbook_url'),
      impact: of('impact'),
      lowTraffic: {
        minimumEvents: Number(of('minimum_events') ?? 0),
        syntheticGoodPerHour: Number(of('synthetic_good_per_hour') ?? 0),
      },
      trafficAware: of('traffic_aware') === 'true',
      labels: {},
    } satisfies Objective;
  });
}

function tiersOf(text: string | undefined, where: string): TierTargets | undefined {
  if (text === undefined) return undefined;
  try {
    return z
      .strictObject({ label: z.string(), values: z.record(z.string(), z.number().gt(0).lt(1)) })
      .parse(JSON.parse(text));
  } catch {
    throw badSlo(
      where,
      `an annotation ${PREFIX}targets that can't be read`,
      '{"label": …, "values": {…: 0.99}}',
      undefined,
    );
  }
}

function periodOf(window: Slo['spec']['timeWindow'][number], where: string): Period {
  const months = /^(\d+)M$/.exec(window.duration);
  if (window.isRolling) {
    if (!/^\d+[hdw]$/.test(window.duration))
      throw badSlo(
        where,
        `a rolling window of ${window.duration.slice(0, 20)}`,
        'hours, days or weeks, such as 28d',
        undefined,
      );
    return { kind: 'rolling', ms: parseDurationMs(window.duration) };
  }
  const zone = window.calendar?.timeZone ?? 'UTC';
  if (zone !== 'UTC' && zone !== 'Etc/UTC') throw badSlo(where, `the time zone ${zone.slice(0, 40)}`, 'UTC', undefined);
  if (months?.[1] === '1') return { kind: 'calendar', unit: 'month' };
  if (months?.[1] === '3' || window.duration === '1Q') return { kind: 'calendar', unit: 'quarter' };
  throw badSlo(where, `a calendar window of ${window.duration.slice(0, 20)}`, '1M or 1Q', undefined);
}

function indicatorOf({ ratioMetric }: IndicatorSpec, where: string): Indicator {
  const part = ratioMetric?.good ?? ratioMetric?.bad;
  if (!ratioMetric || !part || !ratioMetric.total) {
    throw badSlo(
      where,
      'no ratioMetric of good or bad, and total',
      'ratioMetric with queries of events',
      'count the events that meet the threshold',
    );
  }
  return {
    kind: 'ratio',
    counts: ratioMetric.good ? 'good' : 'bad',
    part: queryOf(part, where),
    total: queryOf(ratioMetric.total, where),
  };
}

function queryOf({ metricSource }: z.infer<typeof source>, where: string): string {
  const { query } = metricSource.spec;
  if (typeof query === 'string' && (metricSource.type ?? 'Prometheus').toLowerCase() === 'prometheus') return query;
  throw badSlo(
    where,
    `a metric source of type ${metricSource.type ?? 'unknown'}`,
    'Prometheus, with spec.query',
    undefined,
  );
}

/**
 * Objectives as OpenSLO documents. Queries count the events of one record, with its length written out; what OpenSLO
 * has no word for stands in annotations, from which `readOpenSlo` takes it back.
 * @throws BarographError `bad_slo` for an objective with windows of its own.
 */
export function openSloDocuments(objectives: readonly Objective[]): object[] {
  return objectives.map((objective) => {
    const { name, service, target, period, description, windows } = objective;
    const catalogue = (['workbook', 'pyrra'] as const).find((known) => {
      return JSON.stringify(windowsOf(known, periodMs(period))) === JSON.stringify(windows);
    });
    if (!catalogue)
      throw badSlo(
        `${objective.place.file}:${objective.place.line}`,
        'windows of its own',
        'workbook or pyrra for OpenSLO',
        undefined,
      );
    const { good, total } = eventQueries(objective);
    const metric = (query: string) => ({ metricSource: { type: 'Prometheus', spec: { query } } });
    return {
      apiVersion: 'openslo/v1',
      kind: 'SLO',
      metadata: { name, annotations: annotationsOf(objective, catalogue) },
      spec: {
        ...(description === undefined ? {} : { description }),
        service,
        indicator: {
          metadata: { name: `${name}-events` },
          spec: { ratioMetric: { counter: false, good: metric(good), total: metric(total) } },
        },
        timeWindow: [windowOf(period)],
        budgetingMethod: 'Occurrences',
        objectives: [{ target }],
      },
    };
  });
}

function windowOf(period: Period): object {
  if (period.kind === 'rolling') {
    const hours = period.ms / 3_600_000;
    return { duration: hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`, isRolling: true };
  }
  const calendar = { startTime: '2026-01-01 00:00:00', timeZone: 'UTC' };
  return { duration: period.unit === 'month' ? '1M' : '1Q', isRolling: false, calendar };
}

function annotationsOf(objective: Objective, catalogue: string): Record<string, string> {
  const { lowTraffic, page, notify } = objective;
  const said: Record<string, string | undefined> = {
    by: objective.by.join(',') || undefined,
    targets: objective.targets && JSON.stringify(objective.targets),
    resolution: printDurationMs(objective.resolutionMs),
    windows: catalogue,
    alerts: [page ? 'page' : '', notify ? 'notify' : ''].filter((text) => text !== '').join(',') || 'none',
    alert: objective.alert,
    owner: objective.owner,
    runbook_url: objective.runbookUrl,
    impact: objective.impact,
    minimum_events: lowTraffic.minimumEvents > 0 ? String(lowTraffic.minimumEvents) : undefined,
    synthetic_good_per_hour: lowTraffic.syntheticGoodPerHour > 0 ? String(lowTraffic.syntheticGoodPerHour) : undefined,
    traffic_aware: objective.trafficAware ? 'true' : undefined,
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([key, value]) => (value === undefined ? [] : [[PREFIX + key, value]])),
  );
}
