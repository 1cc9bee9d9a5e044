import { stringify } from 'yaml';
import { printDurationMs } from '../model/index.ts';
import type { Indicator, Objective } from './objective.ts';
import { OBJECTIVES_VERSION } from './objective-file.ts';
import { openSloDocuments } from './openslo.ts';
import type { RuleGroup } from './rules.ts';

const OPTIONS = { lineWidth: 0, aliasDuplicateObjects: false } as const;

/** A Prometheus rule file. */
export function printRules(groups: readonly RuleGroup[]): string {
  return stringify({ groups }, OPTIONS);
}

/** OpenSLO documents. @throws BarographError `bad_slo`. */
export function printOpenSlo(objectives: readonly Objective[]): string {
  return openSloDocuments(objectives)
    .map((document) => `---\n${stringify(document, OPTIONS)}`)
    .join('');
}

/** Barograph's own file, a document a service, with nothing left to defaults that a reader should see. */
export function printObjectives(objectives: readonly Objective[]): string {
  const services = Map.groupBy(objectives, ({ service }) => service);
  return [...services]
    .map(([service, own]) => {
      const written = own.map(objectiveValue);
      return `---\n${stringify({ version: OBJECTIVES_VERSION, service, objectives: written }, OPTIONS)}`;
    })
    .join('');
}

function percent(value: number): number {
  return Number((value * 100).toPrecision(12));
}

function objectiveValue(objective: Objective): object {
  const { targets, period, lowTraffic, labels } = objective;
  const value = {
    name: objective.name,
    description: objective.description,
    target: percent(objective.target),
    targets: targets && {
      [targets.label]: Object.fromEntries(Object.entries(targets.values).map(([key, own]) => [key, percent(own)])),
    },
    period: period.kind === 'rolling' ? printDurationMs(period.ms) : { calendar: period.unit },
    by: objective.by.length > 0 ? objective.by : undefined,
    indicator: indicatorValue(objective.indicator),
    resolution: printDurationMs(objective.resolutionMs),
    windows: objective.windows.map((window) => ({
      class: window.class,
      long: printDurationMs(window.longMs),
      short: printDurationMs(window.shortMs),
      budget: percent(window.budgetShare),
      for: window.forMs > 0 ? printDurationMs(window.forMs) : undefined,
    })),
    page: objective.page,
    notify: objective.notify,
    alert: objective.alert,
    owner: objective.owner,
    runbook_url: objective.runbookUrl,
    impact: objective.impact,
    low_traffic:
      lowTraffic.minimumEvents > 0 || lowTraffic.syntheticGoodPerHour > 0
        ? {
            minimum_events: lowTraffic.minimumEvents,
            synthetic_good_per_hour: lowTraffic.syntheticGoodPerHour,
          }
        : undefined,
    traffic_aware: objective.trafficAware || undefined,
    labels: Object.keys(labels).length > 0 ? labels : undefined,
  };
  return Object.fromEntries(Object.entries(value).filter(([, own]) => own !== undefined));
}

function indicatorValue(indicator: Indicator): object {
  switch (indicator.kind) {
    case 'ratio':
      return { kind: 'ratio', [indicator.counts]: indicator.part, total: indicator.total };
    case 'up':
      return { kind: 'up', metric: indicator.selector };
    case 'histogram':
      return {
        kind: 'histogram',
        metric: indicator.metric,
        ...(indicator.conditions === '' ? {} : { selector: `{${indicator.conditions}}` }),
        histogram: indicator.form,
        ...(indicator.bounds === undefined ? {} : { buckets: indicator.bounds }),
        [indicator.good]: indicator.threshold,
      };
  }
}
