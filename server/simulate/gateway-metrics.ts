import type { Attributes, Histogram, HrTime, Meter } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  type CollectionResult,
  DataPointType,
  MeterProvider,
  type MetricData,
  type MetricProducer,
  MetricReader,
  type ResourceMetrics,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import { METRICS, type MetricName } from '../model/generated/conventions.ts';
import type { EngineMetrics } from './engine-metrics.ts';
import type { Deployment, Fleet, Replica } from './fleet.ts';
import { GapTotals } from './gap-totals.ts';
import { type ContractLabels, contractLabels, gatewayResource, tokenBucketOf } from './gateway-attributes.ts';
import { toHrTime } from './hr-time.ts';
import type { Random } from './random.ts';
import type { GatewayRequest } from './request.ts';

const SCOPE = 'llm-gateway';
/** Buckets of a native histogram at most; fewer than the SDK's 160 keep merging cheap, and 40 still resolve 5 %. */
const NATIVE_BUCKETS = 40;
const COUNTED_TOKENS = ['input', 'output'] as const;

/** One cost of the deployment that leaks request IDs, as its gateway exposes it until the next collection. */
interface LeakedCost {
  readonly attributes: Attributes;
  readonly dollars: number;
  readonly startMs: number;
}

/** Collects when it is told to, so that simulated time decides when. */
class ManualReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/**
 * The contract's metrics of one gateway process through the OpenTelemetry SDK. What the SDK can't be asked for one by
 * one (a record for each token) comes from a metric producer beside it.
 */
export class GatewayMetrics {
  readonly #deployment: Deployment;
  readonly #fleet: Fleet;
  readonly #reader: ManualReader;
  readonly #provider: MeterProvider;
  readonly #startTime: HrTime;
  readonly #gaps: GapTotals;
  readonly #instruments: ReturnType<typeof createInstruments>;
  readonly #quality: Random;
  readonly #leaks: boolean;
  /** By replica and model version: the engine's counters, and what earlier processes had counted. */
  readonly #preemptions = new Map<string, { metrics: EngineMetrics; before: number }>();
  #leaked: LeakedCost[] = [];
  #collectMs = 0;

  /** @param options.leakRequestId Whether its cost metric carries a request ID, as an oversight. */
  constructor(
    deployment: Deployment,
    fleet: Fleet,
    options: { startMs: number; leakRequestId: boolean; quality: Random },
  ) {
    this.#deployment = deployment;
    this.#fleet = fleet;
    this.#startTime = toHrTime(options.startMs);
    this.#leaks = options.leakRequestId;
    this.#quality = options.quality;
    this.#gaps = new GapTotals(deployment, fleet.spec.tiers.length);
    const producer: MetricProducer = { collect: async () => this.#produce() };
    this.#reader = new ManualReader({ metricProducers: [producer] });
    this.#provider = new MeterProvider({
      resource: resourceFromAttributes(gatewayResource(deployment)),
      readers: [this.#reader],
      views: histogramViews(),
    });
    const meter = this.#provider.getMeter(SCOPE);
    this.#instruments = createInstruments(meter);
    this.#observeEngines(meter);
  }

  /** Records a request that has ended. */
  record(request: GatewayRequest): void {
    const labels = contractLabels(request);
    const bucket = { ...labels, token_bucket: tokenBucketOf(request.promptTokens) };
    const instruments = this.#instruments;
    const outcome = request.outcome!;
    instruments.requests.add(1, labels, 'outcome', outcome);
    // How long a request took that gave no answer has nothing to do with its prompt's size, and the label would make half
    // of all series.
    const sized = outcome === 'ok' || outcome === 'truncated' ? bucket : labels;
    instruments.totalLatency.record((request.endMs - request.arrivalMs) / 1000, { ...sized, outcome });
    const retries = request.attempts.filter((attempt) => attempt.retryReason !== undefined);
    for (const attempt of retries) instruments.retries.add(1, labels, 'reason', attempt.retryReason!);
    if (request.policy !== undefined) instruments.guardrails.add(1, labels, 'policy', request.policy);
    const sawToken = !Number.isNaN(request.firstTokenMs) && outcome !== 'empty';
    if (request.streamed && sawToken) {
      instruments.ttft.record((request.firstTokenMs - request.arrivalMs) / 1000, { ...bucket, stage: 'gateway' });
    }
    if (request.outputTokens > 0) this.#recordTokens(request, labels);
    if (!Number.isNaN(request.firstScheduledMs)) this.#recordStages(request, labels, bucket);
  }

  /** What the SDK has collected, with simulated instead of real times. */
  async collect(nowMs: number): Promise<ResourceMetrics> {
    this.#collectMs = nowMs;
    const { resourceMetrics } = await this.#reader.collect();
    const endTime = toHrTime(nowMs);
    for (const scope of resourceMetrics.scopeMetrics) {
      if (scope.scope.name === PRODUCED_SCOPE) continue;
      for (const metric of scope.metrics) {
        for (const point of metric.dataPoints) {
          const timed = point as { startTime: HrTime; endTime: HrTime };
          timed.startTime = this.#startTime;
          timed.endTime = endTime;
        }
      }
    }
    return resourceMetrics;
  }

  async shutdown(): Promise<void> {
    await this.#provider.shutdown();
  }

  #recordTokens(request: GatewayRequest, labels: ContractLabels): void {
    const { tokenCount, tokens, cost, confidence, qualityScore } = this.#instruments;
    const byType = { input: request.promptTokens, output: request.outputTokens };
    for (const token_type of COUNTED_TOKENS) {
      tokenCount.record(byType[token_type], { ...labels, token_type });
      tokens.add(byType[token_type], labels, 'token_type', token_type);
    }
    if (request.cachedTokens > 0) tokens.add(request.cachedTokens, labels, 'token_type', 'cached');
    const { inputPrice, outputPrice } = this.#deployment.spec.model;
    const dollars = (request.promptTokens * inputPrice + request.outputTokens * outputPrice) / 1e6;
    if (this.#leaks) {
      const attributes = { ...labels, request_id: request.requestId };
      this.#leaked.push({ attributes, dollars, startMs: request.arrivalMs });
    } else cost.add(dollars, labels);
    if (request.outcome === 'ok') {
      confidence.record(1 - Math.min(1, 0.35 * this.#quality.next() ** 2.5), labels);
      // Answers are judged by sampling; a judge is slow and costs money.
      if (this.#quality.chance(0.04)) {
        qualityScore.record(1 - Math.min(1, 0.6 * this.#quality.next() ** 2), {
          ...labels,
          evaluation: 'groundedness',
        });
      }
    }
  }

  #recordStages(request: GatewayRequest, labels: ContractLabels, bucket: Attributes): void {
    const { queue, prefill, decode, timePerToken, tokensPerSecond } = this.#instruments;
    queue.record((request.firstScheduledMs - request.engineArrivalMs) / 1000, bucket);
    if (Number.isNaN(request.firstTokenMs)) return;
    prefill.record((request.firstTokenMs - request.firstScheduledMs) / 1000, bucket);
    if (Number.isNaN(request.lastTokenMs)) return;
    const seconds = (request.lastTokenMs - request.firstTokenMs) / 1000;
    decode.record(seconds, bucket);
    if (request.outputTokens < 2 || seconds <= 0) return;
    timePerToken.record(seconds / (request.outputTokens - 1), labels);
    tokensPerSecond.record(request.outputTokens / seconds, labels);
  }

  /** What the gateway's endpoint picker knows of its engines, because it asks them before it chooses. */
  #observeEngines(meter: Meter): void {
    const gauge = (name: MetricName, read: (replica: Replica) => number): void => {
      const { unit, help } = METRICS[name];
      meter.createObservableGauge(name, { unit, description: help }).addCallback((result) => {
        for (const replica of this.#deployment.replicas) {
          if (replica.engine.serving) result.observe(read(replica), engineLabels(replica));
        }
      });
    };
    gauge('inference_requests_running', ({ engine }) => engine.running.length);
    gauge('inference_requests_waiting', ({ engine }) => engine.waiting.length);
    gauge('inference_kv_cache_usage_ratio', ({ engine }) => engine.cache.usage);
    gauge('inference_prefix_cache_hit_ratio', ({ engine }) =>
      engine.metrics.prefixQueries === 0 ? 0 : engine.metrics.prefixHits / engine.metrics.prefixQueries,
    );
    const { unit, help } = METRICS.inference_preemptions_total;
    meter.createObservableCounter('inference_preemptions_total', { unit, description: help }).addCallback((result) => {
      for (const replica of this.#deployment.replicas) {
        result.observe(this.#preemptionsOf(replica), engineLabels(replica));
      }
    });
  }

  /** Of all processes of a replica that served its model, because a counter of the gateway doesn't begin anew with an engine. */
  #preemptionsOf(replica: Replica): number {
    const key = `${replica.name} ${replica.model.version}`;
    const { metrics } = replica.engine;
    const known = this.#preemptions.get(key);
    const total = { metrics, before: 0 };
    if (known) total.before = known.metrics === metrics ? known.before : known.before + known.metrics.preemptions;
    this.#preemptions.set(key, total);
    return total.before + metrics.preemptions;
  }

  #produce(): CollectionResult {
    this.#gaps.update();
    const startTime = this.#startTime;
    const endTime = toHrTime(this.#collectMs);
    const { spec } = this.#deployment;
    const labels = {
      deployment: spec.name,
      gpu_type: spec.gpuType.name,
      region: spec.region,
    };
    const metrics: MetricData[] = [
      {
        descriptor: descriptorOf('inference_inter_token_latency_seconds'),
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: [...this.#gaps.byVersion].flatMap(([model_version, byTier]) =>
          byTier.flatMap((gaps, tier) =>
            gaps.count === 0
              ? []
              : {
                  startTime,
                  endTime,
                  attributes: { ...labels, model_version, customer_tier: this.#fleet.spec.tiers[tier].name },
                  value: {
                    buckets: { boundaries: [...gaps.bounds], counts: [...gaps.counts] },
                    sum: gaps.sum,
                    count: gaps.count,
                  },
                },
          ),
        ),
      },
    ];
    if (this.#leaked.length > 0) {
      metrics.push({
        descriptor: descriptorOf('inference_cost_dollars_total'),
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: this.#leaked.map(({ attributes, dollars, startMs }) => ({
          startTime: toHrTime(startMs),
          endTime,
          attributes,
          value: dollars,
        })),
      });
      this.#leaked = [];
    }
    const resource = resourceFromAttributes(gatewayResource(this.#deployment));
    const scopeMetrics = [{ scope: { name: PRODUCED_SCOPE }, metrics }];
    return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
  }
}

/** The scope of points whose times are simulated from the start. */
const PRODUCED_SCOPE = 'llm-gateway.stream';

function engineLabels(replica: Replica): Attributes {
  const { deployment } = replica;
  return {
    model_version: replica.model.version,
    deployment: deployment.name,
    gpu_type: deployment.spec.gpuType.name,
    region: deployment.region,
    engine: 'vllm',
    replica: replica.name,
  };
}

function createInstruments(meter: Meter) {
  const histogram = (name: MetricName): Histogram => {
    return meter.createHistogram(name, { unit: METRICS[name].unit, description: METRICS[name].help });
  };
  const counter = (name: MetricName): CounterTotals => new CounterTotals(meter, name);
  return {
    ttft: histogram('inference_ttft_seconds'),
    totalLatency: histogram('inference_total_latency_seconds'),
    timePerToken: histogram('inference_time_per_output_token_seconds'),
    tokensPerSecond: histogram('inference_tokens_per_second'),
    tokenCount: histogram('inference_token_count'),
    queue: histogram('inference_queue_seconds'),
    prefill: histogram('inference_prefill_seconds'),
    decode: histogram('inference_decode_seconds'),
    confidence: histogram('inference_confidence'),
    qualityScore: histogram('inference_quality_score'),
    tokens: counter('inference_tokens_total'),
    requests: counter('inference_requests_total'),
    retries: counter('inference_retries_total'),
    guardrails: counter('inference_guardrail_triggers_total'),
    cost: counter('inference_cost_dollars_total'),
  };
}

/**
 * A counter that the program keeps itself and the SDK observes: an SDK's `add` sorts and prints the attributes for every
 * call, which for counters that every request touches would be a quarter of the simulator's time.
 */
class CounterTotals {
  readonly #totals = new Map<string, { attributes: Attributes; value: number }>();

  constructor(meter: Meter, name: MetricName) {
    const { unit, help } = METRICS[name];
    meter.createObservableCounter(name, { unit, description: help }).addCallback((result) => {
      for (const { attributes, value } of this.#totals.values()) result.observe(value, attributes);
    });
  }

  /** @param label A label beside those of the contract, and its value. */
  add(value: number, labels: ContractLabels, label = '', labelValue = ''): void {
    const key = `${labels.model_version} ${labels.customer_tier} ${labels.region} ${labelValue}`;
    let total = this.#totals.get(key);
    if (!total) {
      total = { attributes: label === '' ? labels : { ...labels, [label]: labelValue }, value: 0 };
      this.#totals.set(key, total);
    }
    total.value += value;
  }
}

/** Classic buckets where the contract wants them beside the native histogram, native ones elsewhere. */
function histogramViews(): ViewOptions[] {
  return Object.values(METRICS)
    .filter((metric) => metric.type === 'histogram')
    .map((metric) => ({
      instrumentName: metric.name,
      aggregation: metric.classic
        ? {
            type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
            options: { boundaries: [...metric.buckets!], recordMinMax: false },
          }
        : { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: NATIVE_BUCKETS, recordMinMax: false } },
    }));
}

function descriptorOf(name: MetricName): MetricData['descriptor'] {
  const { unit, help } = METRICS[name];
  // 1 is DOUBLE of the API's ValueType, which is a const enum and can't be imported from source.
  return { name, description: help, unit, valueType: 1 };
}
