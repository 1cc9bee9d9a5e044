import http from 'node:http';
import https from 'node:https';
import { ExporterError } from './error.ts';
import { withoutSecrets } from './fetch-text.ts';
import type { Family } from './snapshot.ts';

/** Where metrics are sent by OTLP over HTTP. */
export interface OtlpTarget {
  /** Such as `http://127.0.0.1:4318/v1/metrics`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

/**
 * Writes families as an `ExportMetricsServiceRequest` in OTLP's JSON. Counters are cumulative and monotonic, with the time
 * since which they count.
 *
 * @param unixMs The time of the values.
 */
export function toOtlp(families: readonly Family[], node: string, version: string, unixMs: number): object {
  const nanos = (ms: number): string => `${BigInt(Math.round(ms)) * 1_000_000n}`;
  const metrics = families.map(({ name, type, unit, help, samples }) => {
    const dataPoints = samples.map(({ labels, value, sinceMs }) => ({
      attributes: Object.entries(labels).map(([key, text]) => attribute(key, text)),
      timeUnixNano: nanos(unixMs),
      ...(type === 'counter' && sinceMs !== undefined ? { startTimeUnixNano: nanos(sinceMs) } : {}),
      asDouble: value,
    }));
    const data =
      type === 'counter'
        ? { sum: { dataPoints, aggregationTemporality: 2, isMonotonic: true } }
        : { gauge: { dataPoints } };
    return { name, description: help, unit, ...data };
  });
  const attributes = [
    attribute('service.name', 'barograph-gpu-exporter'),
    attribute('service.version', version),
    attribute('service.instance.id', node),
    attribute('host.name', node),
  ];
  const scope = { name: 'barograph-gpu-exporter', version };
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope, metrics }] }] };
}

function attribute(key: string, stringValue: string): Attribute {
  return { key, value: { stringValue } };
}

/**
 * Sends a request.
 *
 * @throws ExporterError `failed` with the status, `unreachable` or `timeout`. Nothing is sent again: the values are
 * totals and moments, so the next request says all that a lost one did but for one moment.
 */
export function sendOtlp(target: OtlpTarget, body: object, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const where = `OTLP › ${withoutSecrets(target.url)}`;
    const client = target.url.startsWith('https:') ? https : http;
    const text = JSON.stringify(body);
    const headers = {
      ...target.headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const request = client.request(target.url, { method: 'POST', signal, headers }, (response) => {
      response.resume();
      response.once('error', () => undefined);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) resolve();
      else reject(new ExporterError({ code: 'failed', where, got: `HTTP ${status}`, accepted: '2xx' }));
    });
    request.once('error', (cause) => {
      const got = signal.aborted ? 'no answer in time' : ((cause as { code?: string }).code ?? 'a broken connection');
      reject(new ExporterError({ code: signal.aborted ? 'timeout' : 'unreachable', where, got, cause }));
    });
    request.end(text);
  });
}
