import type { Label } from '../exposition/index.ts';
import type { Fleet } from './fleet.ts';
import type { TargetScraper } from './scraper.ts';

/** A metric that the exporter gives of itself. */
export interface OwnMetric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: { readonly labels: readonly Label[]; readonly value: number }[];
}

/** Names of unknown metrics that stand in a label, for each engine; the rest is `other`. */
const MAX_NAMED = 200;

/** What the exporter knows of its targets, and what Ollama says that the contract has no metric for. */
export function ownMetrics(fleet: Fleet, version: string): OwnMetric[] {
  const { scrapers } = fleet;
  const perTarget = (
    name: string,
    help: string,
    measure: (scraper: TargetScraper) => number | undefined,
  ): OwnMetric => ({
    name,
    type: 'gauge',
    help,
    samples: scrapers.flatMap((scraper) => {
      const value = scraper.state.kind === 'new' ? undefined : measure(scraper);
      return value === undefined ? [] : [{ labels: targetLabels(scraper), value }];
    }),
  });
  return [
    {
      name: 'barograph_inference_exporter_info',
      type: 'gauge',
      help: 'The version of the exporter.',
      samples: [{ labels: [['version', version]], value: 1 }],
    },
    perTarget(
      'barograph_inference_exporter_target_up',
      'Whether the last scrape of a target went well.',
      ({ state }) => (state.kind === 'up' ? 1 : 0),
    ),
    perTarget(
      'barograph_inference_exporter_scrape_duration_seconds',
      'How long the last scrape of a target took.',
      (scraper) => scraper.durationMs / 1000,
    ),
    perTarget(
      'barograph_inference_exporter_scrape_samples',
      'Samples that a target gave.',
      ({ series }) => series?.samples,
    ),
    {
      name: 'barograph_inference_exporter_scrapes_total',
      type: 'counter',
      help: 'Scrapes of targets by how they ended.',
      samples: [...fleet.results].map(([result, value]) => ({ labels: [['result', result]], value })),
    },
    {
      name: 'barograph_inference_exporter_unmapped_metrics',
      type: 'gauge',
      help: 'Targets that give a metric which the exporter does not know.',
      samples: countNames(scrapers, ({ report }) => report?.unmapped ?? []),
    },
    {
      name: 'barograph_inference_exporter_vanished_metrics',
      type: 'gauge',
      help: 'Targets that gave a metric before and give it no longer.',
      samples: countNames(scrapers, (scraper) => scraper.vanished().map(({ source }) => source)),
    },
    ...ollamaMetrics(scrapers),
    ...processMetrics(),
  ];
}

function targetLabels({ target, engine }: TargetScraper): Label[] {
  const { deployment = engine ?? '' } = { ...target.fallback, ...target.labels };
  const labels: Label[] = [
    ['deployment', deployment],
    ['engine', engine ?? 'unknown'],
    ['replica', target.labels.replica ?? target.fallback.replica ?? ''],
    ['target', target.url.host],
  ];
  return labels.filter(([, value]) => value !== '');
}

function countNames(
  scrapers: readonly TargetScraper[],
  namesOf: (scraper: TargetScraper) => readonly string[],
): OwnMetric['samples'] {
  const counts = new Map<string, Map<string, number>>();
  for (const scraper of scrapers) {
    const names = namesOf(scraper);
    if (names.length === 0) continue;
    const engine = scraper.engine ?? 'unknown';
    const byName = counts.get(engine) ?? new Map<string, number>();
    counts.set(engine, byName);
    for (const name of names) {
      const named = byName.has(name) || byName.size < MAX_NAMED ? name : 'other';
      byName.set(named, (byName.get(named) ?? 0) + 1);
    }
  }
  return [...counts].flatMap(([engine, byName]) =>
    [...byName].map(([metric, value]) => ({
      labels: [
        ['engine', engine],
        ['metric', metric],
      ] as Label[],
      value,
    })),
  );
}

function ollamaMetrics(scrapers: readonly TargetScraper[]): OwnMetric[] {
  const models = scrapers.flatMap((scraper) =>
    scraper.models.map((model) => {
      const labels: Label[] = [...targetLabels(scraper), ['model_version', model.name]];
      return { model, labels: labels.sort(([a], [b]) => (a < b ? -1 : 1)) };
    }),
  );
  const gauge = (name: string, help: string, samples: OwnMetric['samples']): OwnMetric => ({
    name,
    type: 'gauge',
    help,
    samples,
  });
  return [
    gauge(
      'barograph_inference_exporter_model_loaded',
      'Whether a model that an Ollama server has is in memory.',
      models.map(({ model, labels }) => ({ labels, value: model.isLoaded ? 1 : 0 })),
    ),
    gauge(
      'barograph_inference_exporter_model_memory_bytes',
      'Memory that a loaded model takes, altogether and on GPUs.',
      models.flatMap(({ model, labels }) => {
        const parts: (readonly [string, number | undefined])[] = [
          ['all', model.loadedBytes],
          ['gpu', model.gpuBytes],
        ];
        return parts.flatMap(([memory, value]) =>
          value === undefined ? [] : [{ labels: [...labels, ['memory', memory]] as Label[], value }],
        );
      }),
    ),
    gauge(
      'barograph_inference_exporter_model_context_tokens',
      'Tokens that fit into the context which a loaded model was given.',
      models.flatMap(({ model, labels }) =>
        model.contextTokens === undefined ? [] : [{ labels, value: model.contextTokens }],
      ),
    ),
  ];
}

function processMetrics(): OwnMetric[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Processor time of the exporter.',
      samples: [{ labels: [], value: (user + system) / 1e6 }],
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Memory of the exporter.',
      samples: [{ labels: [], value: process.memoryUsage.rss() }],
    },
  ];
}
