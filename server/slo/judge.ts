import { METRICS } from '../model/generated/conventions.ts';
import { BarographError, printDurationMs } from '../model/index.ts';
import { badSlo } from './documents.ts';
import { metricsIn } from './events.ts';
import { type Objective, periodMs, type SloWarning } from './objective.ts';

const RESERVED = ['class', 'slo', 'slo_service', 'alertname', '__name__'];

/**
 * Holds an objective to what makes it work: a page has an owner, a runbook and an impact, and never comes from a signal of
 * a model's own quality; windows are whole multiples of the records that they are sums of.
 * @returns What is right but should be known.
 * @throws BarographError `bad_slo`, `slo_page_incomplete`, `slo_informational_page`.
 */
export function judgeObjective(objective: Objective): SloWarning[] {
  const { place, labels, by } = objective;
  const where = `${place.file}:${place.line} › ${objective.name}`;
  const taken = [...Object.keys(labels), ...by].find((label) => RESERVED.includes(label));
  if (taken !== undefined) throw badSlo(where, `the label ${taken}`, `others than ${RESERVED.join(', ')}`, undefined);
  const odd = [objective.service, objective.name].find((text) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(text));
  if (odd !== undefined)
    throw badSlo(where, JSON.stringify(odd.slice(0, 40)), 'a name of letters, digits, _, . and -', undefined);
  judgeWindows(objective, where);
  const warnings = stageWarnings(objective);
  if (!objective.page) return warnings;
  const missing = [
    ['owner', objective.owner],
    ['runbook_url', objective.runbookUrl],
    ['impact', objective.impact],
  ].flatMap(([key, value]) => (value === undefined ? [key] : []));
  if (missing.length > 0) {
    throw new BarographError({
      code: 'slo_page_incomplete',
      status: 400,
      where,
      got: `an objective that pages without ${missing.join(', ')}`,
      accepted: 'an owner, a runbook_url and an impact on users, or page: false',
      fix: `write ${missing.join(', ')} in the objective or in defaults, so that whoever is woken knows what to do`,
    });
  }
  const informational = metricsOf(objective).find((metric) => {
    return Object.values(METRICS).some((spec) => spec.informational && bare(metric) === bare(spec.name));
  });
  if (informational !== undefined) {
    throw new BarographError({
      code: 'slo_informational_page',
      status: 400,
      where,
      got: `a page from ${informational}`,
      accepted: "pages from what users feel; a signal of a model's own quality notifies",
      fix: 'set page: false',
    });
  }
  return warnings;
}

function bare(metric: string): string {
  return metric.replace(/_(bucket|count|sum)$/, '');
}

function metricsOf({ indicator, place }: Objective): string[] {
  switch (indicator.kind) {
    case 'histogram':
      return [indicator.metric];
    case 'up':
      return metricsIn(indicator.selector, place);
    case 'ratio':
      return [indicator.part, indicator.total].flatMap((query) => {
        return metricsIn(query.replaceAll(/\$window\b|\{\{\s*\.window\s*\}\}/g, '5m'), place);
      });
  }
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function judgeWindows(objective: Objective, where: string): void {
  const { windows, resolutionMs, period } = objective;
  const step = printDurationMs(resolutionMs);
  if (resolutionMs < 60_000 || resolutionMs > 300_000 || HOUR_MS % resolutionMs !== 0) {
    throw badSlo(
      where,
      `resolution ${step}`,
      '1m, 2m, 3m, 4m or 5m: longer ones are gone before they are read',
      undefined,
    );
  }
  if (periodMs(period) < DAY_MS || periodMs(period) > 400 * DAY_MS || periodMs(period) % HOUR_MS !== 0) {
    throw badSlo(where, `a period of ${printDurationMs(periodMs(period))}`, 'whole hours, from 1d to 400d', undefined);
  }
  for (const { longMs, shortMs } of windows) {
    const pair = `${printDurationMs(longMs)} and ${printDurationMs(shortMs)}`;
    if (longMs % resolutionMs !== 0 || shortMs % resolutionMs !== 0) {
      throw badSlo(
        where,
        `windows of ${pair}`,
        `multiples of the resolution, ${step}`,
        'set resolution: 1m, or other windows',
      );
    }
    if (shortMs > longMs || longMs > periodMs(period)) {
      throw badSlo(where, `windows of ${pair}`, 'a short one within the long one, within the period', undefined);
    }
  }
}

function stageWarnings({ indicator, place, name }: Objective): SloWarning[] {
  if (indicator.kind !== 'histogram' || indicator.metric !== 'inference_ttft_seconds') return [];
  if (/\bstage\s*=/.test(indicator.conditions)) return [];
  const text = `${name} counts a request once at each stage that measures it (client, gateway, engine); choose one with selector: '{stage="gateway"}'`;
  return [{ place, text }];
}
