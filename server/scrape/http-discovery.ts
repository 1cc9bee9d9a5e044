import { BarographError } from '../model/index.ts';
import { inflateInBackground, parseContentEncoding, parseMediaType } from '../wire/index.ts';
import type { BodyRoom } from './body-room.ts';
import type { HttpDiscoveryConfig } from './config-parts.ts';
import { type Discovery, type DiscoveryLog, parseTargetGroups } from './discovery.ts';
import { hideSecrets } from './hide-secrets.ts';
import { HttpClient } from './http-client.ts';
import { addressesOf, type DiscoveredAddress } from './target.ts';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_TIMEOUT_MS = 60_000;

/** `http_sd_configs`: target groups as JSON from a server. A failure keeps the last good answer. */
export class HttpDiscovery implements Discovery {
  readonly kind = 'http';
  readonly #config: HttpDiscoveryConfig;
  readonly #client: HttpClient;
  readonly #userAgent: string;
  readonly #log: DiscoveryLog;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** @param directory what paths of secrets and certificates are relative to */
  constructor(
    config: HttpDiscoveryConfig,
    directory: string,
    { room, log, userAgent }: { room: BodyRoom; log: DiscoveryLog; userAgent: string },
  ) {
    this.#config = config;
    this.#client = new HttpClient(config, directory, room);
    this.#userAgent = userAgent;
    this.#log = log;
  }

  start(onAddresses: (addresses: readonly DiscoveredAddress[]) => void): void {
    const everyMs = Math.max(1000, this.#config.refresh_interval);
    const refresh = async (): Promise<void> => {
      const startedMs = performance.now();
      const found = await this.#ask();
      if (this.#stop.signal.aborted) return;
      if (found) onAddresses(found);
      this.#timer = setTimeout(refresh, Math.max(0, everyMs - (performance.now() - startedMs)));
    };
    void refresh();
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#client.close();
  }

  async #ask(): Promise<DiscoveredAddress[] | undefined> {
    const { url, refresh_interval: refreshMs } = this.#config;
    const shown = hideSecrets(url);
    const answer = await this.#client.get({
      url: new URL(url),
      headers: {
        accept: 'application/json',
        'accept-encoding': 'gzip',
        'user-agent': this.#userAgent,
        'x-prometheus-refresh-interval-seconds': String(refreshMs / 1000),
      },
      timeoutMs: Math.min(MAX_TIMEOUT_MS, Math.max(1000, refreshMs)),
      maxBytes: MAX_ANSWER_BYTES,
      signal: this.#stop.signal,
    });
    if (answer.kind === 'failure') {
      if (!this.#stop.signal.aborted) this.#log.failed('http', `${shown}: ${answer.message}`);
      return undefined;
    }
    try {
      if (parseMediaType(answer.contentType ?? '')?.type !== 'application/json') {
        throw new Error('the answer is not application/json');
      }
      const encoding = parseContentEncoding(answer.contentEncoding);
      const bytes = await inflateInBackground(Buffer.concat(answer.chunks), encoding, MAX_ANSWER_BYTES);
      const groups = parseTargetGroups(Buffer.from(bytes).toString('utf8'), 'json', shown);
      return groups.flatMap((group) => addressesOf(group, { __meta_url: url }));
    } catch (error) {
      const isOurs = error instanceof BarographError;
      this.#log.failed('http', isOurs ? error.message : `${shown}: ${(error as Error).message}`);
      return undefined;
    } finally {
      answer.release();
    }
  }
}
