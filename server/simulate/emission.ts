import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { encodeLokiPushJson } from '../wire/index.ts';
import type { EngineLine } from './engine-log.ts';
import { EngineStreams } from './engine-streams.ts';
import type { Deployment, Fleet } from './fleet.ts';
import { GatewayLogs } from './gateway-logs.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { GatewaySpans, keepsTrace } from './gateway-spans.ts';
import type { FilledOptions } from './options.ts';
import { OtlpSender } from './otlp-sender.ts';
import type { Outbox } from './outbox.ts';
import { Random } from './random.ts';
import type { GatewayRequest } from './request.ts';
import { ScrapeBatch } from './scrape-batch.ts';
import { Scraper } from './scrapes.ts';

/** A gateway's process and what it hasn't sent yet. */
interface GatewayProcess {
  readonly name: string;
  readonly metrics: GatewayMetrics;
  readonly spans: GatewaySpans;
  readonly logs: GatewayLogs;
  collections: ResourceMetrics[];
}

/** Lanes of remote write; a target stays in its lane, so lanes may overtake one another. */
const SCRAPE_LANES = 3;
const REMOTE_WRITE_HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
  'user-agent': 'Prometheus/3.5.0 (barograph simulate)',
};
/** The deployment whose gateway leaks, where the options say so. */
const LEAKING = { deployment: 'chat-fast', region: 'us-east' };

/** Everything that the fleet emits: SDKs of gateways, a Prometheus that scrapes, an agent that pushes lines. */
export class Emission {
  readonly #outbox: Outbox;
  readonly #otlp: OtlpSender;
  readonly #options: FilledOptions;
  readonly #scraper: Scraper;
  readonly #batches = Array.from({ length: SCRAPE_LANES }, () => new ScrapeBatch());
  readonly #streams = new EngineStreams();
  readonly #gateways = new Map<Deployment, GatewayProcess>();

  constructor(fleet: Fleet, outbox: Outbox, options: FilledOptions, startMs: number) {
    this.#outbox = outbox;
    this.#options = options;
    this.#otlp = new OtlpSender(outbox, options.otlpTarget);
    this.#scraper = new Scraper(fleet, SCRAPE_LANES);
    for (const deployment of fleet.deployments) {
      const name = `${deployment.name} ${deployment.region}`;
      const leakRequestId =
        options.leakRequestId && deployment.name === LEAKING.deployment && deployment.region === LEAKING.region;
      const quality = new Random(options.seed, `quality ${name}`);
      this.#gateways.set(deployment, {
        name,
        metrics: new GatewayMetrics(deployment, fleet, { startMs, leakRequestId, quality }),
        spans: new GatewaySpans(deployment, new Random(options.seed, `spans ${name} ${startMs}`)),
        logs: new GatewayLogs(deployment),
        collections: [],
      });
    }
  }

  recordRequest(request: GatewayRequest): void {
    const gateway = this.#gateways.get(request.deployment)!;
    gateway.metrics.record(request);
    gateway.logs.record(request);
    if (keepsTrace(request, this.#options.traces)) gateway.spans.record(request);
  }

  recordLine(line: EngineLine): void {
    this.#streams.add(line);
  }

  /** Scrapes every target and collects every SDK. */
  async collect(nowMs: number): Promise<void> {
    const timestampMs = Math.round(nowMs);
    for (let lane = 0; lane < SCRAPE_LANES; lane++) this.#scraper.scrape(lane, this.#batches[lane], timestampMs);
    for (const gateway of this.#gateways.values()) gateway.collections.push(await gateway.metrics.collect(nowMs));
  }

  /** Sends the metrics collected so far. */
  async sendMetrics(): Promise<void> {
    for (let lane = 0; lane < this.#batches.length; lane++) {
      const batch = this.#batches[lane];
      if (batch.sampleCount === 0) continue;
      const { body, samples } = batch.take();
      const request = { url: `${this.#options.target}/api/v1/write`, headers: REMOTE_WRITE_HEADERS, body };
      await this.#outbox.post('samples', `scrapes ${lane}`, samples, request);
    }
    for (const gateway of this.#gateways.values()) {
      const { collections } = gateway;
      gateway.collections = [];
      await this.#otlp.sendMetrics(gateway.name, collections);
    }
  }

  /** Sends logs and spans written so far, where there are at least so many of one process. */
  async sendEvents(atLeast: number): Promise<void> {
    for (const { name, spans, logs } of this.#gateways.values()) {
      if (spans.pending >= atLeast) await this.#otlp.sendSpans(name, spans.take());
      if (logs.pending >= atLeast) await this.#otlp.sendRecords(name, logs.take());
    }
    if (this.#streams.pending < atLeast || this.#streams.pending === 0) return;
    const entries = this.#streams.take();
    const request = {
      url: `${this.#options.target}/loki/api/v1/push`,
      headers: { 'content-type': 'application/json' },
      body: encodeLokiPushJson(entries),
    };
    await this.#outbox.post('lines', 'lines', entries.length, request);
  }

  async shutdown(): Promise<void> {
    await this.#otlp.shutdown();
    for (const { metrics } of this.#gateways.values()) await metrics.shutdown();
  }
}
