import http from 'node:http';
import https from 'node:https';
import { ExporterError } from './error.ts';

/** The most bytes of an exporter's answer; 16 GPUs with every field of DCGM make 0.3 MiB. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Asks for a text over HTTP, within a time and a size.
 *
 * @param where How errors name the place.
 * @throws ExporterError `unreachable`, `failed` (another status than 200), `timeout` or `too_large`.
 */
export function fetchText(where: string, url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (code: 'unreachable' | 'failed' | 'timeout' | 'too_large', got: string, cause?: unknown): void =>
      reject(new ExporterError({ code, where: `${where} › ${withoutSecrets(url)}`, got, cause }));
    const client = url.startsWith('https:') ? https : http;
    const request = client.get(url, { signal, headers: { accept: 'text/plain;version=0.0.4' } }, (response) => {
      if (response.statusCode !== 200) {
        response.destroy();
        fail('failed', `HTTP ${response.statusCode}`);
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MOST_BYTES) chunks.push(chunk);
        else {
          response.destroy();
          fail('too_large', `more than ${MOST_BYTES} bytes`);
        }
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', (error) => fail(signal.aborted ? 'timeout' : 'unreachable', errorWord(error), error));
    });
    request.on('error', (error) =>
      fail(signal.aborted ? 'timeout' : 'unreachable', signal.aborted ? 'no answer in time' : errorWord(error), error),
    );
  });
}

function errorWord(error: Error): string {
  return (error as { code?: string }).code ?? 'a broken connection';
}

/** A URL without user, password and query. */
export function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return 'a URL that can not be read';
  }
}
