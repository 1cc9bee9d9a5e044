import type { ScrapeIngest } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import type { Logger } from '../telemetry/index.ts';
import {
  decodeScrape,
  freeBody,
  inflateInBackground,
  parseContentEncoding,
  type ScrapeBatch,
  type ScrapeProtocol,
  scrapeAcceptHeader,
  scrapeProtocolOf,
} from '../wire/index.ts';
import type { BodySpace } from './body-space.ts';
import type { ScrapeJob } from './config.ts';
import { type FailureReason, failure, type ScrapeFailure } from './failure.ts';
import { hideSecrets } from './hide-secrets.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { reportLabels } from './sample-labels.ts';
import { planScrape, scrapeTime } from './schedule.ts';
import { type BatchTaker, type TakenScrape, TargetMemory } from './take-batch.ts';
import { offsetOf, type Target } from './target.ts';
import type { Turns } from './turns.ts';

/** Numbers about scrapes of all targets, for the program's own metrics. They only go up. */
export interface ScrapeStats {
  /** Scrapes that ended, by how: `ok` or why not. */
  readonly scrapes: Record<'ok' | FailureReason, number>;
  /** Samples of scrapes that were taken, by what became of them. */
  readonly samples: Record<'taken' | 'dropped' | 'duplicate' | 'refused', number>;
  /** Bytes of bodies, decompressed. */
  bytes: number;
  seriesAdded: number;
  /** Series that ended, each with a staleness marker. */
  seriesEnded: number;
  /** Scrapes that were left out because the one before took too long. */
  skipped: number;
  /** Groups of samples that the disk refused. */
  failedCommits: number;
}

/** What all loops share. */
export interface LoopParts {
  readonly ingest: ScrapeIngest;
  readonly taker: BatchTaker;
  /** One batch for all: it is used between two `await`s only. */
  readonly batch: ScrapeBatch;
  /** Likewise, for bodies. */
  readonly space: BodySpace;
  /** How many bodies are decompressed at once. */
  readonly turns: Turns;
  readonly stats: ScrapeStats;
  readonly log: Logger;
  readonly userAgent: string;
  /** See `offsetOf`. */
  readonly seed: string;
}

export type TargetHealth = 'up' | 'down' | 'unknown';

/** How a target did last. */
export interface TargetStatus {
  readonly health: TargetHealth;
  /** Why the last scrape failed; empty where it didn't. */
  readonly lastError: string;
  /** Milliseconds since the epoch; 0 where there was no scrape yet. */
  readonly lastScrapeMs: number;
  readonly lastDurationMs: number;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Scrapes one target at its interval until it is stopped. */
export class TargetLoop {
  readonly target: Target;
  readonly #job: ScrapeJob;
  readonly #client: HttpClient;
  readonly #parts: LoopParts;
  readonly #stop = new AbortController();
  readonly #offsetMs: number;
  readonly #headers: Readonly<Record<string, string>>;
  #memory = new TargetMemory();
  #status: TargetStatus = { health: 'unknown', lastError: '', lastScrapeMs: 0, lastDurationMs: 0 };
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #forced: ScrapeFailure | undefined;

  constructor(target: Target, job: ScrapeJob, client: HttpClient, parts: LoopParts) {
    this.target = target;
    this.#job = job;
    this.#client = client;
    this.#parts = parts;
    this.#offsetMs = offsetOf(target, parts.seed);
    this.#headers = {
      accept: scrapeAcceptHeader(job.protocols, job.escaping),
      'accept-encoding': job.enableCompression ? 'gzip, zstd' : 'identity',
      'user-agent': parts.userAgent,
      'x-prometheus-scrape-timeout-seconds': String(target.timeoutMs / 1000),
    };
  }

  get status(): TargetStatus {
    return this.#status;
  }

  /** What is remembered of the target's series. */
  get memory(): TargetMemory {
    return this.#memory;
  }

  /** Begins; the first scrape is at the target's place in the interval. @param memory of the loop that it follows. */
  start(memory?: TargetMemory): void {
    if (memory) this.#memory = memory;
    this.#plan(Number.NEGATIVE_INFINITY);
  }

  /** Lets every scrape fail with this reason, as long as there is one. */
  force(reason: ScrapeFailure | undefined): void {
    this.#forced = reason;
  }

  /** Ends the loop and what it is doing. Its series go on for whoever takes over `memory`. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Ends the loop and the target's series: it is gone. */
  async vanish(): Promise<void> {
    await this.stop();
    const { ingest, taker, stats } = this.#parts;
    try {
      ingest.assertRoom();
      // Behind the last scrape in any case, whose samples would be lost under markers of the same time.
      const nowMs = Math.max(Date.now(), this.#status.lastScrapeMs + 1);
      stats.seriesEnded += taker.endAll(this.#memory, nowMs);
      taker.endReports(this.#memory, nowMs);
      await ingest.commit();
    } catch (error) {
      this.#notStored(error);
    }
  }

  /** Plans the first scrape after the one that was planned for `lastMs`. */
  #plan(lastMs: number): void {
    if (this.#stop.signal.aborted) return;
    const schedule = { intervalMs: this.target.intervalMs, offsetMs: this.#offsetMs };
    const { atMs, skipped } = planScrape(schedule, lastMs, Date.now());
    this.#parts.stats.skipped += skipped;
    this.#wait(atMs);
  }

  #wait(untilMs: number): void {
    const leftMs = untilMs - Date.now();
    this.#timer = setTimeout(
      () => {
        if (leftMs > MAX_TIMER_MS) {
          this.#wait(untilMs);
          return;
        }
        this.#running = this.#scrape(untilMs).finally(() => this.#plan(untilMs));
      },
      Math.min(MAX_TIMER_MS, Math.max(0, leftMs)),
    );
  }

  async #scrape(plannedMs: number): Promise<void> {
    const { turns, ingest } = this.#parts;
    const startedMs = performance.now();
    const ms = scrapeTime(plannedMs, Date.now(), this.target.intervalMs);
    try {
      const answer = this.#forced ?? (await this.#ask());
      if (this.#stop.signal.aborted) {
        if (answer.kind === 'answer') answer.release();
        return;
      }
      await turns.take(() => this.#takeAnswer(answer, ms, startedMs));
      await ingest.commit();
    } catch (error) {
      this.#notStored(error);
    }
  }

  #ask(): Promise<HttpAnswer | ScrapeFailure> {
    return this.#client.get({
      url: this.target.url,
      headers: this.#headers,
      timeoutMs: this.target.timeoutMs,
      maxBytes: this.#job.bodyBytesLimit,
      signal: this.#stop.signal,
    });
  }

  /** Takes what the target answered, whole or not at all, and what there is to say about the scrape. */
  async #takeAnswer(answer: HttpAnswer | ScrapeFailure, ms: number, startedMs: number): Promise<void> {
    const { taker, stats, ingest } = this.#parts;
    const body = answer.kind === 'answer' ? await this.#decompress(answer) : answer;
    // From here on everything happens at once, so that it is in one commit.
    ingest.assertRoom();
    if (body.kind === 'body') stats.bytes += body.bytes;
    const outcome = body.kind === 'failure' ? body : this.#take(body, ms);
    if (outcome.kind === 'failure') stats.seriesEnded += taker.endAll(this.#memory, ms, outcome.reason === 'memory');
    else countTaken(stats, outcome);
    const bodyBytes = body.kind === 'body' ? body.bytes : -1;
    this.#report(outcome, ms, performance.now() - startedMs, bodyBytes);
  }

  async #decompress(answer: HttpAnswer): Promise<DecompressedBody | ScrapeFailure> {
    const { space } = this.#parts;
    const { chunks, bytes: size } = answer;
    try {
      const encoding = parseContentEncoding(answer.contentEncoding);
      const protocol = scrapeProtocolOf(answer.contentType, this.#job.fallbackProtocol);
      if (encoding === 'identity') {
        return { kind: 'body', protocol, bytes: size, read: () => space.join(chunks, size), free: () => {} };
      }
      const inflated = await inflateInBackground(Buffer.concat(chunks, size), encoding, this.#job.bodyBytesLimit);
      return {
        kind: 'body',
        protocol,
        bytes: inflated.byteLength,
        read: () => inflated,
        free: () => freeBody(inflated),
      };
    } catch (error) {
      return failureOf(error);
    } finally {
      answer.release();
    }
  }

  #take({ bytes, protocol, read, free }: DecompressedBody, ms: number): TakenScrape | ScrapeFailure {
    const { batch, taker } = this.#parts;
    const { honorTimestamps, keepClassicHistograms } = this.#job;
    try {
      // A body without a byte is a target without series, whatever its format asks for; as Prometheus sees it.
      if (bytes === 0) batch.clear();
      else decodeScrape(read(), protocol, { scrapeMs: ms, honorTimestamps, keepClassicHistograms }, batch);
      return taker.take(this.#job, this.target.labels, this.#memory, batch, ms);
    } catch (error) {
      return failureOf(error);
    } finally {
      batch.clear();
      free();
    }
  }

  #report(outcome: TakenScrape | ScrapeFailure, ms: number, durationMs: number, bodyBytes: number): void {
    const { taker, stats } = this.#parts;
    const isUp = outcome.kind === 'taken';
    stats.scrapes[isUp ? 'ok' : outcome.reason]++;
    const values: [string, number][] = [
      ['up', isUp ? 1 : 0],
      // To the microsecond: what is behind it is noise, which would be stored.
      ['scrape_duration_seconds', Math.round(durationMs * 1000) / 1e6],
      ['scrape_samples_scraped', outcome.scraped],
      ['scrape_samples_post_metric_relabeling', outcome.kept],
      ['scrape_series_added', isUp ? outcome.added : 0],
    ];
    if (this.#job.extraMetrics) {
      values.push(['scrape_timeout_seconds', this.target.timeoutMs / 1000]);
      values.push(['scrape_sample_limit', this.#job.sampleLimit]);
      values.push(['scrape_body_size_bytes', bodyBytes]);
    }
    for (const [metric, value] of values) {
      taker.report(this.#memory, metric, () => reportLabels(metric, this.target.labels), ms, value);
    }
    const was = this.#status.health;
    this.#status = {
      health: isUp ? 'up' : 'down',
      lastError: isUp ? '' : outcome.message,
      lastScrapeMs: ms,
      lastDurationMs: durationMs,
    };
    this.#logChange(was, outcome);
  }

  /** Says once that a target went down, and once that it is back. */
  #logChange(was: TargetHealth, outcome: TakenScrape | ScrapeFailure): void {
    const { log } = this.#parts;
    const about = { job: this.#job.name, target: hideSecrets(this.target.address) };
    if (outcome.kind === 'failure' && was !== 'down') {
      log.warn({ ...about, reason: outcome.reason, error: outcome.message }, 'a target can not be scraped');
    } else if (outcome.kind === 'taken' && was === 'down') log.info(about, 'a target can be scraped again');
  }

  /** What can't be stored says nothing about the target: its health stays as it is, and nothing of it is marked. */
  #notStored(error: unknown): void {
    const { stats, log } = this.#parts;
    if (!(error instanceof BarographError)) {
      const lastError = 'internal: an unexpected error; the log has it';
      if (this.#status.lastError !== lastError)
        log.error({ err: error, job: this.#job.name }, 'a scrape ended with a bug');
      this.#status = { ...this.#status, lastError };
      return;
    }
    if (error.code === 'overloaded') stats.scrapes.overloaded++;
    else stats.failedCommits++;
    this.#status = { ...this.#status, lastError: error.message };
  }
}

interface DecompressedBody {
  readonly kind: 'body';
  readonly protocol: ScrapeProtocol;
  /** Its length. */
  readonly bytes: number;
  /** The body, valid until the next `await`. */
  readonly read: () => Uint8Array;
  /** Gives its memory back. */
  readonly free: () => void;
}

function countTaken(stats: ScrapeStats, outcome: TakenScrape): void {
  const { samples } = stats;
  samples.taken += outcome.kept - outcome.duplicates - outcome.refused;
  samples.dropped += outcome.scraped - outcome.kept;
  samples.duplicate += outcome.duplicates;
  samples.refused += outcome.refused;
  stats.seriesAdded += outcome.added;
  stats.seriesEnded += outcome.ended;
}

/** What a decoder's error means for a scrape. */
function failureOf(error: unknown): ScrapeFailure {
  if (!(error instanceof BarographError)) throw error;
  switch (error.code) {
    case 'unsupported_media_type':
      return failure('content_type', error.message);
    case 'unsupported_encoding':
      return failure('encoding', error.message);
    case 'too_large':
      return failure('body_size', error.message);
    case 'bad_labels':
      return failure('bad_labels', error.message);
    default:
      return failure('malformed', error.message);
  }
}
