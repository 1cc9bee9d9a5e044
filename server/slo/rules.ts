import { printDurationMs } from '../model/index.ts';
import { type AlertClass, type BurnWindow, burnFactor } from './catalogue.ts';
import { eventQueries, parseQuery } from './events.ts';
import { type Objective, periodMs, type SloWarning } from './objective.ts';

/** A recording rule of a Prometheus rule file. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** An alerting rule of a Prometheus rule file. */
export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  /** A Prometheus duration. */
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Rules that are evaluated one after the other at one time. */
export interface RuleGroup {
  readonly name: string;
  /** A Prometheus duration. */
  readonly interval: string;
  readonly rules: readonly (RecordingRule | AlertingRule)[];
}

/** What an objective becomes. */
export interface SloRules {
  readonly groups: readonly RuleGroup[];
  readonly warnings: readonly SloWarning[];
}

const HOUR_MS = 3_600_000;
/** Sums over the period are made of hours: at most 744 samples a series for a month. */
const HOUR_RECORDS = { good: 'slo:good:increase1h', total: 'slo:total:increase1h' } as const;
const PER_HOUR = 'slo:total:per_hour';

/**
 * The rules of an objective, as three groups:
 * - each `resolution` one record of good events and one of all, then burn over each window as a sum of those records,
 *   then the alerts;
 * - each hour the sums of an hour;
 * - each 5 minutes what is left of the budget, a sum over hours.
 *
 * Burn over a window w is `(total − good) / total / (1 − target)`, all summed over w. An alert fires iff the burn over
 * both windows of one of its pairs is above `burnFactor`. What is left of the budget is `1 − bad / total / (1 − target)`
 * over the period; below 0 it is overspent.
 * @throws BarographError `bad_slo`.
 */
export function sloRules(objective: Objective): SloRules {
  const { service, name, resolutionMs } = objective;
  const { good, total, warnings } = eventQueries(objective);
  const labels = { ...objective.labels, slo: name, slo_service: service };
  const id = `slo-${service}-${name}`;
  const step = printDurationMs(resolutionMs);
  const tiles = tileNames(resolutionMs);
  const selector = `{slo="${name}",slo_service="${service}"}`;
  const groups: RuleGroup[] = [
    {
      name: id,
      interval: step,
      rules: [
        { record: tiles.total, expr: total, labels },
        { record: tiles.good, expr: good, labels },
        ...burnRules(objective, labels),
        ...alertRules(objective, labels),
        noDataRule(objective, `${tiles.total}${selector}`, labels),
      ],
    },
    {
      name: `${id}-hours`,
      interval: '1h',
      rules: [
        { record: HOUR_RECORDS.total, expr: `sum_over_time(${tiles.total}${selector}[1h])`, labels },
        { record: HOUR_RECORDS.good, expr: `sum_over_time(${tiles.good}${selector}[1h])`, labels },
      ],
    },
    { name: `${id}-budget`, interval: '5m', rules: budgetRules(objective, selector, labels) },
  ];
  for (const { rules } of groups) for (const { expr } of rules) parseQuery(expr, objective.place);
  return { groups, warnings };
}

function tileNames(resolutionMs: number): { good: string; total: string } {
  const length = printDurationMs(resolutionMs);
  return { good: `slo:good:increase${length}`, total: `slo:total:increase${length}` };
}

/** The part of an objective that has one target: all of it, or one value of the label that targets differ by. */
interface Tier {
  readonly target: number;
  /** 1 − target, without the noise of its last digits. */
  readonly budget: number;
  readonly selector: string;
  /** Labels that tell the tier, for what has no series to take them from. */
  readonly labels: Readonly<Record<string, string>>;
}

function tiersOf({ name, service, target, targets }: Objective): Tier[] {
  const tier = (value: number, condition: string, labels: Record<string, string>): Tier => ({
    target: value,
    budget: Number((1 - value).toPrecision(12)),
    selector: `{slo="${name}",slo_service="${service}"${condition}}`,
    labels,
  });
  if (targets === undefined) return [tier(target, '', {})];
  const { label, values } = targets;
  const others = Object.keys(values).map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [
    ...Object.entries(values).map(([value, own]) => {
      return tier(own, `,${label}=${JSON.stringify(value)}`, { [label]: value });
    }),
    tier(target, `,${label}!~${JSON.stringify(others.join('|'))}`, {}),
  ];
}

/** The windows in use, each length once, shortest first. */
function lengthsOf(objective: Objective): number[] {
  return [...new Set(activeWindows(objective).flatMap(({ shortMs, longMs }) => [shortMs, longMs]))].sort(
    (a, b) => a - b,
  );
}

function activeWindows({ windows, page, notify }: Objective): readonly BurnWindow[] {
  return windows.filter((window) => (window.class === 'page' ? page : notify));
}

function burnName(ms: number): string {
  return `slo:burn_rate:ratio${printDurationMs(ms)}`;
}

function burnRules(objective: Objective, labels: Readonly<Record<string, string>>): RecordingRule[] {
  const tiles = tileNames(objective.resolutionMs);
  return lengthsOf(objective).map((ms) => {
    const parts = tiersOf(objective).map(({ selector, budget }) => {
      const range = `${selector}[${printDurationMs(ms)}]`;
      const total = `sum_over_time(${tiles.total}${range})`;
      const bad = `(${total} - sum_over_time(${tiles.good}${range}))`;
      // Without events there is no burn, rather than 0 / 0.
      return `${bad} / (${eventsOf(objective, selector, total, ms)} > 0) / ${budget}`;
    });
    return { record: burnName(ms), expr: parts.join(' or '), labels };
  });
}

/** What failures of a window are measured against: its events, or those that the period leads one to expect. */
function eventsOf({ trafficAware, lowTraffic }: Objective, selector: string, total: string, ms: number): string {
  const hours = ms / HOUR_MS;
  // Before the first hour is over there is nothing to expect by.
  const events = trafficAware ? `(${PER_HOUR}${selector} * ${roundOff(hours)} or ${total})` : total;
  const floor = lowTraffic.syntheticGoodPerHour * hours;
  return floor > 0 ? `clamp_min(${events}, ${roundOff(floor)})` : events;
}

function roundOff(value: number): number {
  return Number(value.toPrecision(12));
}

/** One alert a class, so that a fast burn doesn't page twice; windows that wait for another time have their own. */
function alertRules(objective: Objective, labels: Readonly<Record<string, string>>): AlertingRule[] {
  const grouped = Map.groupBy(activeWindows(objective), (window) => `${window.class} ${window.forMs}`);
  return [...grouped.values()].map((windows) => {
    const isOnly = activeWindows(objective).every((other) => {
      return other.class !== windows[0].class || other.forMs === windows[0].forMs;
    });
    const own = isOnly ? labels : { ...labels, long_window: printDurationMs(windows[0].longMs) };
    return alertRule(objective, windows, own);
  });
}

function alertRule(
  objective: Objective,
  windows: readonly BurnWindow[],
  labels: Readonly<Record<string, string>>,
): AlertingRule {
  const { name, service, resolutionMs, lowTraffic, period } = objective;
  const [{ class: alertClass, forMs }] = windows;
  const selector = `{slo="${name}",slo_service="${service}"}`;
  const pairs = windows.map((window) => {
    const factor = burnFactor(window, periodMs(period));
    const above = [window.longMs, window.shortMs].map((ms) => `${burnName(ms)}${selector} > ${factor}`);
    const total = `sum_over_time(${tileNames(resolutionMs).total}${selector}[${printDurationMs(window.longMs)}])`;
    if (lowTraffic.minimumEvents > 0) above.push(`${total} >= ${lowTraffic.minimumEvents}`);
    return `(${above.join(' and ')})`;
  });
  return {
    alert: `${objective.alert}${alertClass === 'page' ? 'Fast' : 'Slow'}`,
    expr: pairs.join(' or '),
    ...(forMs > 0 ? { for: printDurationMs(forMs) } : {}),
    labels: { ...labels, class: alertClass },
    annotations: annotationsOf(objective, alertClass, windows),
  };
}

function annotationsOf(
  objective: Objective,
  alertClass: AlertClass,
  windows: readonly BurnWindow[],
): Record<string, string> {
  const { name, service, owner, runbookUrl, impact, description } = objective;
  const days = roundOff(periodMs(objective.period) / (24 * HOUR_MS));
  const pairs = windows.map(({ longMs, shortMs }) => `${printDurationMs(longMs)} and ${printDurationMs(shortMs)}`);
  const where = objective.by.map((label) => `${label} {{ $labels.${label} }}`).join(', ');
  const annotations: Record<string, string> = {
    summary: `${service}: the error budget of ${name} burns {{ printf "%.1f" $value }} times as fast as ${days} days allow${where === '' ? '' : ` (${where})`}`,
    description: `${description === undefined ? '' : `${description} `}Over ${pairs.join(', or ')}, more events fail than the objective allows for this class (${alertClass}).`,
  };
  if (owner !== undefined) annotations.owner = owner;
  if (runbookUrl !== undefined) annotations.runbook_url = runbookUrl;
  if (impact !== undefined) annotations.impact = impact;
  return annotations;
}

/** An objective whose events are gone says nothing, which looks like health. It notifies, since it can't say who suffers. */
function noDataRule(objective: Objective, total: string, labels: Readonly<Record<string, string>>): AlertingRule {
  const { name, service, owner } = objective;
  return {
    alert: `${objective.alert}NoData`,
    expr: `absent(${total})`,
    for: '15m',
    labels: { ...labels, class: 'notify' },
    annotations: {
      summary: `${service}: nothing is known about ${name}, since its metrics are gone`,
      ...(owner === undefined ? {} : { owner }),
    },
  };
}

function budgetRules(
  objective: Objective,
  selector: string,
  labels: Readonly<Record<string, string>>,
): RecordingRule[] {
  const targets = tiersOf(objective).map((tier) => {
    return { record: 'slo:target:ratio', expr: `vector(${tier.target})`, labels: { ...labels, ...tier.labels } };
  });
  const parts = tiersOf(objective).map((tier) => {
    const total = overPeriod(objective, HOUR_RECORDS.total, tier.selector);
    const good = overPeriod(objective, HOUR_RECORDS.good, tier.selector);
    return `1 - (${total} - ${good}) / (${total} > 0) / ${tier.budget}`;
  });
  // One rule for all tiers: rules that differ in their query alone look like mistakes to promtool.
  const left = { record: 'slo:budget_left:ratio', expr: parts.join(' or '), labels };
  const average = `avg_over_time(${HOUR_RECORDS.total}${selector}[${printDurationMs(periodMs(objective.period))}])`;
  return [...targets, { record: PER_HOUR, expr: average, labels }, left];
}

/**
 * The sum of an hourly record over the period. PromQL has no range that begins with the month, so a calendar period
 * takes each full hour of the last 31 (92) days whose month (quarter) is that of the newest record. `@ end()` is the
 * time of the evaluation, which `time()` within a subquery isn't. An hour at the edge counts to the month that it ends
 * in; 00:00 is still the month before.
 */
function overPeriod({ period, resolutionMs }: Objective, record: string, selector: string): string {
  if (period.kind === 'rolling') return `sum_over_time(${record}${selector}[${printDurationMs(period.ms)}])`;
  const newest = `max(timestamp(${tileNames(resolutionMs).total}${selector} @ end())) - 1`;
  const inner = 'vector(time() - 1)';
  const hour = `last_over_time(${record}${selector}[1h])`;
  if (period.unit === 'month') {
    return `sum_over_time((${hour} and on () (month(${inner}) == month(${newest})))[31d:1h])`;
  }
  const quarter = (time: string) => `floor((month(${time}) - 1) / 3)`;
  return `sum_over_time((${hour} and on () (${quarter(inner)} == ${quarter(newest)}))[92d:1h])`;
}
