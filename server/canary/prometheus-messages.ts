import { labelsFromRecord, type MetricMetadata } from '../model/index.ts';
import type { WriteRequestV2Columns } from '../wire/index.ts';
import type { Hider } from './hide.ts';
import { CANARY_NAME } from './label.ts';
import type { MessageShape } from './otlp-messages.ts';
import { pick } from './random.ts';

const NAMES = ['canary_requests_total', 'inference_requests_total', 'canary_waiting'];
const OUTCOMES = ['ok', 'error', 'timeout'];

/** A write request, for both versions of remote write. */
export function writeRequest(hider: Hider, { items, nowMs }: MessageShape): WriteRequestV2Columns {
  const series = Array.from({ length: items }, (_, i) => {
    const name = hider.name('metric name', NAMES[i % NAMES.length]);
    return labelsFromRecord({ ...hider.labels('series labels', harmlessLabels(hider)), __name__: name });
  });
  return {
    series,
    sampleSeries: Uint32Array.from(series.keys()),
    sampleTimestampMs: Float64Array.from(series, () => nowMs),
    sampleValue: new Float64Array(items),
    exemplars: series.map((_, i) => {
      const labels = labelsFromRecord({ ...hider.labels('exemplar labels', { trace_id: traceId(hider) }) });
      return { series: i, exemplar: { timestampMs: nowMs, value: 0, labels } };
    }),
    metadata: NAMES.slice(0, items).map((metric) => metadata(hider, metric)),
  };
}

function metadata(hider: Hider, metric: string): MetricMetadata {
  return {
    metric,
    type: metric.endsWith('_total') ? 'counter' : 'gauge',
    help: hider.text('metadata help', 'Requests that the canary made up.'),
    unit: hider.text('metadata unit', ''),
  };
}

function harmlessLabels(hider: Hider): Record<string, string> {
  return { deployment: CANARY_NAME, environment: CANARY_NAME, outcome: pick(hider.draw, OUTCOMES) };
}

function traceId(hider: Hider): string {
  return `c${Array.from({ length: 31 }, () => hider.draw(16).toString(16)).join('')}`;
}

/** What a target exposes, in OpenMetrics (with exemplars) or in Prometheus's text. */
export function exposition(hider: Hider, format: 'text' | 'openmetrics'): string {
  const isOpen = format === 'openmetrics';
  const lines: string[] = [];
  for (const [name, type] of [
    ['canary_scraped', 'counter'],
    ['canary_depth', 'gauge'],
  ] as const) {
    const sampled = type === 'counter' ? `${name}_total` : name;
    const family = isOpen ? name : sampled;
    lines.push(`# HELP ${family} ${escaped(hider.text('help', 'What the canary made up.'))}`);
    lines.push(`# TYPE ${family} ${type}`);
    const labels = labelText(hider.labels('series labels', harmlessLabels(hider)));
    const exemplar = isOpen && type === 'counter' ? ` # ${exemplarText(hider)} 0` : '';
    lines.push(`${sampled}${labels} 0${exemplar}`);
  }
  const hidden = hider.name('metric name', 'canary_level');
  lines.push(`# TYPE ${hidden} gauge`, `${hidden}{deployment="${CANARY_NAME}"} 0`);
  if (isOpen) lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function exemplarText(hider: Hider): string {
  return labelText(hider.labels('exemplar labels', { trace_id: traceId(hider) }));
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
