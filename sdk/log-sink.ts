import * as api from '@opentelemetry/api';
import { SCOPE_NAME } from './instruments.ts';

/** What the SDK writes as a log record; a part of OpenTelemetry's. */
export interface LogRecord {
  readonly timestamp: number | undefined;
  readonly observedTimestamp: number | undefined;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: api.Attributes;
  readonly context: api.Context;
}

/** Where log records go: OpenTelemetry's logger, as far as the SDK uses it. */
export interface LogSink {
  emit(record: LogRecord): void;
  /** False where nobody listens; older loggers don't say. */
  enabled?(): boolean;
}

/** OpenTelemetry's logger provider, as far as the SDK uses it. */
export interface LogSinkProvider {
  getLogger(name: string): LogSink;
}

/** Where @opentelemetry/api-logs keeps the logger provider of programs whose API has no logs of its own. */
const API_LOGS = Symbol.for('io.opentelemetry.js.api.logs');
const API_LOGS_VERSION = 1;

/**
 * Finds the logger of the provider that is in force. Logs are a part of @opentelemetry/api since 1.10, whose logger
 * follows the provider by itself; before, they were in a package of their own, which is reached by its global.
 */
export class LogSinkSource {
  readonly #given: LogSink | undefined;
  #olderApi: unknown;
  #sink: LogSink | undefined;

  constructor(given: LogSinkProvider | undefined) {
    this.#given = given?.getLogger(SCOPE_NAME);
  }

  /** Undefined where logs have no API at all. */
  current(): LogSink | undefined {
    if (this.#given) return this.#given;
    const olderApi = (globalThis as Record<symbol, unknown>)[API_LOGS];
    if (!this.#sink || olderApi !== this.#olderApi) {
      this.#olderApi = olderApi;
      this.#sink = providerOf(olderApi)?.getLogger(SCOPE_NAME);
    }
    return this.#sink;
  }
}

function providerOf(olderApi: unknown): LogSinkProvider | undefined {
  if (typeof olderApi === 'function') return olderApi(API_LOGS_VERSION) as LogSinkProvider;
  return 'logs' in api ? (api.logs as unknown as LogSinkProvider) : undefined;
}
