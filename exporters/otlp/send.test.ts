import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { sendOtlp } from './send.ts';

it('sendOtlp sends, and says why it could not', async () => {
  let [status, answer, body] = [200, '', ''];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      body = gunzipSync(Buffer.concat(chunks)).toString('utf8');
      response.writeHead(status).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const target = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`),
    headers: { authorization: 'x' },
  };
  await sendOtlp(target, ['{"a":"ü"}'], 5000);
  expect(body).toBe('{"a":"ü"}');
  answer = '{"partialSuccess":{"rejectedDataPoints":"3"}}';
  await expect(sendOtlp(target, ['{}'], 5000)).rejects.toMatchObject({ code: 'otlp_rejected' });
  [status, answer] = [429, ''];
  await expect(sendOtlp(target, ['{}'], 5000)).rejects.toThrow(/OTLP › .*got HTTP 429/);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(sendOtlp(target, ['{}'], 5000)).rejects.toMatchObject({ code: 'unreachable' });
});
