import { z } from 'zod';
import { windowsOf } from './catalogue.ts';
import { badSlo, checkDocument, placeOf, type SloDocument } from './documents.ts';
import type { Indicator, Objective, SloWarning } from './objective.ts';
import { share } from './objective-file.ts';

const texts = z.record(z.string(), z.coerce.string()).nullish();
const alert = z.looseObject({ disable: z.boolean().optional(), labels: texts, annotations: texts }).nullish();
/** https://sloth.dev/specs/default/, `prometheus/v1`. */
const slothSchema = z.strictObject({
  version: z.literal('prometheus/v1'),
  service: z.string().min(1),
  labels: texts,
  slo_plugins: z.unknown().optional(),
  slos: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        description: z.string().nullish(),
        objective: z.number().gt(0).lt(100),
        labels: texts,
        plugins: z.unknown().optional(),
        sli: z.strictObject({
          events: z.strictObject({ error_query: z.string(), total_query: z.string() }).nullish(),
          raw: z.strictObject({ error_ratio_query: z.string() }).nullish(),
          plugin: z.unknown().optional(),
        }),
        alerting: z
          .strictObject({
            name: z.string().optional(),
            labels: texts,
            annotations: texts,
            page_alert: alert,
            ticket_alert: alert,
          })
          .nullish(),
      }),
    )
    .nonempty()
    .max(1000),
});
type Sloth = z.infer<typeof slothSchema>;

/** Objectives read from another format, and what of it was read otherwise than it says. */
export interface ReadObjectives {
  readonly objectives: readonly Objective[];
  readonly warnings: readonly SloWarning[];
}

/**
 * Reads a Sloth specification. Owner, runbook and impact are taken from annotations or labels of these names
 * (`runbook_url` or `runbook`).
 * @throws BarographError `bad_slo` with file, line and key; also for SLI plugins, whose queries aren't in the file.
 */
export function readSloth(document: SloDocument): ReadObjectives {
  const sloth = checkDocument(slothSchema, document);
  const warnings: SloWarning[] = [];
  const objectives = sloth.slos.map((slo, index) => {
    const path = ['slos', index];
    const place = { file: document.file, line: document.lineOf([...path, 'name']) };
    const indicator = indicatorOf(slo.sli, placeOf(document, [...path, 'sli']));
    if (slo.sli.raw) {
      const text = `${slo.name}: a raw error ratio has no events, so each moment counts the same whatever its traffic`;
      warnings.push({ place, text });
    }
    if (slo.alerting?.labels || slo.alerting?.page_alert?.labels || slo.alerting?.ticket_alert?.labels) {
      const text = `${slo.name}: labels of its alerts alone are left out; the label class (page, notify) is what to route by`;
      warnings.push({ place, text });
    }
    return {
      place,
      service: sloth.service,
      name: slo.name,
      description: slo.description ?? undefined,
      target: share(slo.objective),
      targets: undefined,
      period: { kind: 'rolling', ms: 30 * 86_400_000 },
      by: [],
      indicator,
      resolutionMs: 300_000,
      windows: windowsOf('workbook', 30 * 86_400_000),
      lowTraffic: { minimumEvents: 0, syntheticGoodPerHour: 0 },
      trafficAware: false,
      ...alertingOf(sloth, slo),
    } satisfies Objective;
  });
  return { objectives, warnings };
}

type Alerting = Pick<Objective, 'alert' | 'page' | 'notify' | 'labels' | 'owner' | 'runbookUrl' | 'impact'>;

function alertingOf(sloth: Sloth, { alerting, labels }: Sloth['slos'][number]): Alerting {
  const said: Record<string, string> = {
    ...sloth.labels,
    ...labels,
    ...alerting?.labels,
    ...alerting?.annotations,
    ...alerting?.page_alert?.annotations,
  };
  return {
    alert: alerting?.name && /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(alerting.name) ? alerting.name : 'SLOBudgetBurn',
    page: alerting?.page_alert?.disable !== true,
    notify: alerting?.ticket_alert?.disable !== true,
    labels: { ...sloth.labels, ...labels },
    owner: said.owner ?? said.team,
    runbookUrl: said.runbook_url ?? said.runbook,
    impact: said.impact,
  };
}

function indicatorOf(sli: Sloth['slos'][number]['sli'], where: string): Indicator {
  if (sli.events) return { kind: 'ratio', counts: 'bad', part: sli.events.error_query, total: sli.events.total_query };
  if (sli.raw) {
    const ratio = sli.raw.error_ratio_query;
    // Each record is one event, of which the ratio failed. `* 0 + 1` has a value wherever the ratio has one.
    return { kind: 'ratio', counts: 'bad', part: `max(${ratio})`, total: `max(${ratio}) * 0 + 1` };
  }
  throw badSlo(
    where,
    'an SLI of a plugin',
    'events or raw, whose queries are in the file',
    'write the queries that the plugin makes',
  );
}
