import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Hider } from './hide.ts';
import { exposition } from './prometheus-messages.ts';

/** A target that exposes content, for as long as it is needed. */
export interface ScrapeTarget {
  /** `host:port`. */
  readonly address: string;
  close(): void;
}

/** What a target exposes, by the format. */
const FORMATS = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;

/** Listens on a free port of this machine and answers every request with hidden prompts. */
export async function openScrapeTarget(hider: Hider, format: keyof typeof FORMATS): Promise<ScrapeTarget> {
  const body = exposition(hider, format);
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-type': FORMATS[format] }).end(body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
