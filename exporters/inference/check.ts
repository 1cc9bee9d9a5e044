import { ENGINE_METRICS, METRICS, type MetricName } from '../generated/conventions.ts';
import { shownUrl } from '../http/index.ts';
import type { TargetScraper } from './scraper.ts';

/** What `--check` prints of a target that was asked: whose it is, what is mapped, what is missing and how to get it. */
export function describeCheck(scraper: TargetScraper): string {
  const { state, engine, report, metricsUrl, models, target } = scraper;
  const where = shownUrl(metricsUrl ?? target.url);
  if (state.kind === 'down') return `${state.message}\n\n${setupHints(scraper)}`;
  if (engine === 'ollama') {
    const loaded = models.filter(({ isLoaded }) => isLoaded).length;
    return [
      `${where}: Ollama, ${models.length} models, ${loaded} of them loaded`,
      section('given of each model', [
        ['barograph_inference_exporter_model_loaded', 'whether it is in memory'],
        ['barograph_inference_exporter_model_memory_bytes', 'altogether and on GPUs'],
        ['barograph_inference_exporter_model_context_tokens', 'what fits into its context'],
      ]),
      'Ollama has no metrics of requests; put a gateway before it that measures them.\n',
    ].join('\n');
  }
  if (!report || engine === undefined) return `${where}: not asked yet\n`;
  const { title, versions } = ENGINE_METRICS[engine];
  const near = report.mapped.filter(({ mapping }) => mapping.metric.note !== undefined);
  // A measure that another mapping gives isn't missing: names of older versions, and those that stand in for others.
  const given = new Set(
    report.mapped.map(({ mapping }) => `${mapping.target} ${JSON.stringify(mapping.metric.labels)}`),
  );
  const missing = report.missing.filter(
    ({ metric, target: name }) => !metric.subtract && !given.has(`${name} ${JSON.stringify(metric.labels)}`),
  );
  const absent = (Object.keys(METRICS) as MetricName[]).filter(
    (name) => BEHAVIOUR.test(name) && !ENGINE_METRICS[engine].metrics.some((metric) => metric.target === name),
  );
  return [
    `${where}: ${title} (its table was read from ${versions})`,
    section(
      'mapped',
      report.mapped
        .filter(({ mapping }) => !mapping.metric.subtract)
        .map(({ source, mapping }) => [
          withLabels(mapping.target, mapping.metric.labels),
          mapping.metric.part === undefined ? source : `${source}_${mapping.metric.part}`,
        ]),
    ),
    section(
      "near to the contract's measure, but not the same",
      near.map(({ source, mapping }) => [source, mapping.metric.note ?? '']),
    ),
    section(
      'missing',
      missing.map(({ metric, target: name }) => [
        withLabels(name, metric.labels),
        `${metric.source}${metric.needs === undefined ? '' : `; needs: ${metric.needs}`}`,
      ]),
    ),
    section(
      'unknown; please report them',
      report.unmapped.map((name) => {
        const old = scraper.likelyOld(name);
        return [name, old === undefined ? '' : `perhaps the new name of ${old}`];
      }),
    ),
    section(
      'known, but without a place in the contract',
      report.ignored.map(({ source, why }) => [source, why]),
    ),
    section(
      `what ${title} doesn't measure at all`,
      absent.map((name) => [name, '']),
    ),
    report.foreign > 0 ? `${report.foreign} metrics of other programs are left alone.\n` : '',
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** What an engine may be expected to tell; money, guardrails and retries are for gateways and clients to tell. */
const BEHAVIOUR = /^inference_(?!retries|guardrail|confidence|quality|cost|tokens_per_second)/;

function setupHints({ target }: TargetScraper): string {
  const port = Number(target.url.port);
  const all = Object.values(ENGINE_METRICS);
  const likely = all.filter(({ ports }) => ports.includes(port));
  return section(
    'How engines give their metrics',
    (likely.length > 0 ? likely : all).map(({ title, setup, paths }) => [title, `${setup} (${paths[0]})`]),
  );
}

function withLabels(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return '';
  const width = Math.max(...rows.map(([first]) => first.length));
  const lines = rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`.trimEnd());
  return `${title} (${rows.length})\n${lines.join('\n')}\n`;
}
