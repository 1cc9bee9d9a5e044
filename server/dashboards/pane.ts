import { METRICS, TOKEN_BUCKETS } from '../model/generated/conventions.ts';
import { INFRASTRUCTURE_ROW } from './infrastructure.ts';
import { ERROR_OUTCOMES } from './outcomes.ts';
import type { Pane, PaneRow } from './panel.ts';
import { AI_LABELS, ENGINE_LINES } from './panel-parts.ts';
import { ERROR_LINE, WARNING_LINE } from './warning-lines.ts';

const ERRORS = ERROR_OUTCOMES.join('|');
// `PURE` lets a browser's bundle, which takes only `expandQuery` from this room, leave these and their tables out.
const BUCKET_VALUES = /* @__PURE__ */ TOKEN_BUCKETS.map((bucket) => bucket.value);
const TTFT_CEILING = /* @__PURE__ */ METRICS.inference_ttft_seconds.buckets?.at(-1);
const LATENCY_CEILING = /* @__PURE__ */ METRICS.inference_total_latency_seconds.buckets?.at(-1);

const TRACES = { title: 'Slowest requests', kind: 'traces', expr: '{ name = "gateway" }' } as const;
const FAILED = { title: 'Failed requests', kind: 'traces', expr: '{ status = error }' } as const;
const EVENTS = { title: 'Gateway and engine lines', kind: 'logs', expr: '{service_name=~".+",$filters}' } as const;
const GATEWAY_SENDER = 'the service in front of the model by OTLP (@barograph/sdk or any OpenTelemetry SDK)';

/**
 * A quantile of time to first token as near to the user as it is measured: at the gateway, else at clients. The engine's
 * own is left out, because it starts after the waiting that users feel, and stages are never mixed in one quantile.
 * Where reasoning comes first, the first visible token counts.
 */
function ttftQuantile(quantile: number): string {
  const at = (stage: string) =>
    `histogram_quantile(${quantile}, sum by (le) (rate(inference_ttft_seconds_bucket{stage=~"${stage}",first!="reasoning",$filters}[$__rate_interval])))`;
  return `${at('gateway|')} or ${at('client')}`;
}

/** Requests that end with an error as a share of all; 0 where there are requests and no errors, absent without requests. */
function errorRatio(outcomes: string, by: string): string {
  const all = 'sum(rate(inference_requests_total{$filters}[$__rate_interval]))';
  const failed = `sum${by} (rate(inference_requests_total{outcome=~"${outcomes}",$filters}[$__rate_interval]))`;
  if (by !== '') return `${failed} / on () group_left () ${all}`;
  return `(${failed} or 0 * ${all}) / ${all}`;
}

/** How many lines that aren't structured events match an expression and not another, in each step. */
function countLines(pattern: string, without?: string): string {
  const not = without === undefined ? '' : ` !~ ${JSON.stringify(without)}`;
  return `sum(count_over_time(${linesThat(pattern)}${not} [$__interval]))`;
}

function troubledLines(): string {
  return linesThat(`${ERROR_LINE}|${WARNING_LINE}`);
}

function linesThat(pattern: string): string {
  return `{service_name=~".+",$filters} !~ "^[{]" |~ ${JSON.stringify(pattern)}`;
}

const HEALTH_ROW: PaneRow = {
  id: 'health',
  title: 'User-perceived health',
  panels: [
    {
      id: 'ttft',
      title: 'Time to first token',
      description: 'How long users wait before anything appears, measured where they are met: at the gateway.',
      kind: 'lines',
      unit: 'seconds',
      min: 0,
      queries: [
        { language: 'promql', expr: ttftQuantile(0.5), legend: 'p50', tone: 'quantile-low', ceiling: TTFT_CEILING },
        { language: 'promql', expr: ttftQuantile(0.95), legend: 'p95', tone: 'quantile-mid', ceiling: TTFT_CEILING },
        { language: 'promql', expr: ttftQuantile(0.99), legend: 'p99', tone: 'quantile-high', ceiling: TTFT_CEILING },
      ],
      labels: AI_LABELS,
      links: [TRACES, EVENTS],
      source: { needs: ['inference_ttft_seconds'], sender: GATEWAY_SENDER },
    },
    {
      id: 'total-latency',
      title: 'Total latency, p95',
      description: 'The time from a request to the last byte of its answer that 19 of 20 requests stay under.',
      kind: 'lines',
      unit: 'seconds',
      min: 0,
      queries: [
        {
          language: 'promql',
          expr: 'histogram_quantile(0.95, sum by (le) (rate(inference_total_latency_seconds_bucket{$filters}[$__rate_interval])))',
          legend: 'all',
          tone: 'quantile-high',
          ceiling: LATENCY_CEILING,
        },
        {
          language: 'promql',
          expr: 'histogram_quantile(0.95, sum by (le, model_version) (rate(inference_total_latency_seconds_bucket{model_version!="",$filters}[$__rate_interval])))',
          legend: '{{model_version}}',
          colorBy: 'model_version',
          ceiling: LATENCY_CEILING,
        },
      ],
      labels: AI_LABELS,
      links: [TRACES, EVENTS],
      source: { needs: ['inference_total_latency_seconds'], sender: GATEWAY_SENDER },
    },
    {
      id: 'error-rate',
      title: 'Real error rate',
      description:
        'The share of requests whose answer failed, timed out or came empty, whatever their HTTP status said.',
      kind: 'lines',
      unit: 'ratio',
      min: 0,
      queries: [
        { language: 'promql', expr: errorRatio(ERRORS, ''), legend: 'all errors', tone: 'error' },
        {
          language: 'promql',
          expr: errorRatio(ERRORS, ' by (outcome)'),
          legend: '{{outcome}}',
          colorBy: 'outcome',
          dashed: true,
        },
      ],
      labels: AI_LABELS,
      links: [FAILED, EVENTS],
      source: { needs: ['inference_requests_total'], sender: GATEWAY_SENDER },
    },
  ],
};

const BEHAVIOUR_ROW: PaneRow = {
  id: 'behaviour',
  title: 'Inference behaviour',
  panels: [
    {
      id: 'tokens',
      title: 'Tokens per second',
      description: 'Tokens read from prompts (left axis) and written to answers (right axis) by the whole selection.',
      kind: 'lines',
      unit: 'tokens_per_second',
      min: 0,
      queries: [
        {
          language: 'promql',
          expr: 'sum(rate(inference_tokens_total{token_type="input",$filters}[$__rate_interval]))',
          legend: 'input',
          tone: 'input',
        },
        {
          language: 'promql',
          expr: 'sum(rate(inference_tokens_total{token_type="output",$filters}[$__rate_interval]))',
          legend: 'output',
          tone: 'output',
          scale: 'right',
        },
      ],
      labels: AI_LABELS,
      links: [EVENTS, TRACES],
      source: { needs: ['inference_tokens_total'], sender: GATEWAY_SENDER },
    },
    {
      id: 'token-distribution',
      title: 'Prompt size distribution',
      description: 'How many requests of each prompt size arrive; a new bright band is a new kind of load.',
      kind: 'heatmap',
      unit: 'tokens',
      queries: [
        {
          // Classic buckets where they are sent, native histograms otherwise: a screen takes the first that has data.
          language: 'promql',
          expr: 'sum by (le) (rate(inference_token_count_bucket{token_type="input",$filters}[$__rate_interval]))',
          legend: '{{le}}',
        },
        {
          language: 'promql',
          expr: 'sum(rate(inference_token_count{token_type="input",$filters}[$__rate_interval]))',
          legend: '',
        },
      ],
      labels: AI_LABELS,
      links: [EVENTS, TRACES],
      source: { needs: ['inference_token_count'], sender: GATEWAY_SENDER },
    },
    {
      id: 'latency-by-tokens',
      title: 'p95 latency by prompt tokens',
      description:
        'Total latency of each prompt size class over 5 minutes; one class that rises alone is load, all are trouble.',
      kind: 'lines',
      unit: 'seconds',
      axis: 'log',
      queries: [
        {
          language: 'promql',
          expr: 'histogram_quantile(0.95, sum by (le, token_bucket) (rate(inference_total_latency_seconds_bucket{token_bucket!="",$filters}[$__quantile_interval])))',
          legend: '{{token_bucket}}',
          colorBy: 'token_bucket',
          order: BUCKET_VALUES,
          ceiling: LATENCY_CEILING,
        },
      ],
      labels: AI_LABELS,
      links: [TRACES, EVENTS],
      source: { needs: ['inference_total_latency_seconds{token_bucket}'], sender: GATEWAY_SENDER },
    },
  ],
};

const FAILED_LINES = /* @__PURE__ */ countLines(ERROR_LINE);
const TROUBLED_LINES = /* @__PURE__ */ troubledLines();
const WARNED_LINES = /* @__PURE__ */ countLines(WARNING_LINE, ERROR_LINE);

/** The pane: three rows from what users feel down to what causes it, and a lane of warnings along the time axis. */
export const PANE: Pane = {
  title: 'LLM inference',
  sampleIntervalSeconds: 15,
  filterLabels: AI_LABELS,
  rows: [HEALTH_ROW, BEHAVIOUR_ROW, INFRASTRUCTURE_ROW],
  lane: {
    id: 'warnings',
    title: 'Engine warnings',
    description: 'Lines in which an engine, CUDA, NCCL or the driver warned, failed, or told of a full cache.',
    kind: 'events',
    unit: 'count',
    queries: [
      {
        language: 'logql',
        expr: FAILED_LINES,
        legend: 'errors',
        tone: 'error',
      },
      {
        language: 'logql',
        expr: WARNED_LINES,
        legend: 'warnings',
        tone: 'warning',
      },
    ],
    labels: AI_LABELS,
    links: [{ title: 'Warnings and errors', kind: 'logs', expr: TROUBLED_LINES }, ENGINE_LINES],
    source: { needs: ['log lines of engines and drivers'], sender: 'a log shipper by Loki push or OTLP' },
  },
};
