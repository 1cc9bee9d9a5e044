import crypto from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import {
  eventually,
  exchangeBytes,
  gatewayBefore,
  post,
  readMetrics,
  startBare,
  startUpstream,
} from './gateway-fixture.ts';
import type { RunningGateway } from './run.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A gateway before a server of node:http. */
async function before(
  answer: (request: http.IncomingMessage, response: http.ServerResponse) => void,
  args: readonly string[] = [],
): Promise<RunningGateway> {
  const upstream = await startUpstream(answer);
  closing.push(() => upstream.close());
  const gateway = await gatewayBefore(upstream.url, ['--drain', '0.2', ...args]);
  closing.push(() => gateway.close());
  return gateway;
}

/** A gateway before a server that says the same bytes to everyone, and keeps those that it got. */
async function beforeBytes(answer: string, got: string[] = []): Promise<RunningGateway> {
  const upstream = await startBare((socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      got[0] = text;
      if (/\r\n\r\n/.test(text)) socket.end(Buffer.from(answer, 'latin1'));
    });
  });
  closing.push(() => upstream.close());
  const gateway = await gatewayBefore(upstream.url, ['--drain', '0.2']);
  closing.push(() => gateway.close());
  return gateway;
}

describe('what is passed on', () => {
  it('is the request with its headers in their order, case and number, less those of the connection', async () => {
    const got: string[] = [];
    const gateway = await beforeBytes('HTTP/1.1 204 No Content\r\n\r\n', got);
    await exchangeBytes(
      gateway.url,
      'PURGE /any/p%20ath?x=1&x=2 HTTP/1.1\r\nHost: client.example\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n' +
        'Connection: close, X-Hop\r\nX-Hop: gone\r\nTE: trailers\r\nContent-Length: 3\r\n\r\nabc',
    );
    const host = got[0].match(/Host: (\S+)/)?.[1];
    expect(got[0]).toBe(
      `PURGE /any/p%20ath?x=1&x=2 HTTP/1.1\r\nHost: ${host}\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n` +
        'Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc',
    );
    expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('is the answer with its reason, repeated headers and bytes', async () => {
    const gateway = await beforeBytes(
      'HTTP/1.1 299 Odd Enough\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Latin: \xe9\r\nContent-Length: 3\r\n\r\n\x00\xff\x01',
    );
    expect(await exchangeBytes(gateway.url, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toBe(
      'HTTP/1.1 299 Odd Enough\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Latin: \xe9\r\nContent-Length: 3\r\n' +
        'Connection: close\r\n\r\n\x00\xff\x01',
    );
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n', /Content-Length: 1234\r\n[\s\S]*\r\n\r\n$/],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', /^HTTP\/1.1 204 No Content\r\nConnection: close\r\n\r\n$/],
    [
      'GET',
      'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
      /^HTTP\/1.1 304 Not Modified\r\nETag: "a"\r\n[\s\S]*\r\n\r\n$/,
    ],
  ])('has no body where there is none: %s %j', async (method, answer, expected) => {
    const gateway = await beforeBytes(answer);
    const bytes = await exchangeBytes(gateway.url, `${method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(bytes).toMatch(expected);
  });

  it('keeps pieces apart as they came, with trailers', async () => {
    const gateway = await beforeBytes(
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 6\r\n\r\n',
    );
    const bytes = await exchangeBytes(gateway.url, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(bytes).toContain('Trailer: X-Sum');
    expect(bytes).toMatch(/\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 6\r\n\r\n$/);
  });

  it('reaches an old client, whose answer ends with the connection', async () => {
    const gateway = await beforeBytes(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
    );
    const bytes = await exchangeBytes(gateway.url, 'GET /x HTTP/1.0\r\n\r\n');
    expect(bytes).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n\r\nabc$/);
  });

  it('tells a client to go on when the upstream does, and not before', async () => {
    let released: (() => void) | undefined;
    const gateway = await before((request, response) => request.pipe(response));
    const upstreamServer = await startUpstream(() => undefined);
    closing.push(() => upstreamServer.close());
    upstreamServer.server.on('checkContinue', (request, response) => {
      released = () => {
        response.writeContinue();
        request.pipe(response);
      };
    });
    const waiting = await gatewayBefore(upstreamServer.url, ['--drain', '0.2']);
    closing.push(() => waiting.close());
    expect(gateway.url).not.toBe(waiting.url);
    const { port } = new URL(waiting.url);
    const socket = net.connect(Number(port), '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n',
    );
    await eventually(() => expect(released).toBeDefined());
    expect(text).toBe('');
    released?.();
    await eventually(() => expect(text).toContain('HTTP/1.1 100 Continue'));
    socket.write('{}');
    await eventually(() => expect(text).toMatch(/\r\n\r\n2\r\n\{\}\r\n0\r\n\r\n$/));
    socket.destroy();
  });

  it('goes both ways after an upgrade', async () => {
    const upstream = await startUpstream(() => undefined);
    closing.push(() => upstream.close());
    upstream.server.on('upgrade', (request, socket, head) => {
      const accept = crypto.createHash('sha1').update(String(request.headers['sec-websocket-key'])).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.write(head);
      socket.pipe(socket);
    });
    const gateway = await gatewayBefore(upstream.url, ['--drain', '0.2']);
    closing.push(() => gateway.close());
    const socket = net.connect(Number(new URL(gateway.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
    });
    socket.write(
      'GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nfirst',
    );
    await eventually(() => expect(text).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\nfirst$/));
    socket.write('second');
    await eventually(() => expect(text).toMatch(/firstsecond$/));
    socket.destroy();
    await eventually(async () =>
      expect(await readMetrics(gateway, 'barograph_gateway_tunnels')).toEqual({ barograph_gateway_tunnels_total: 1 }),
    );
  });

  it('is a refusal of an upgrade as well', async () => {
    const gateway = await before((_request, response) => response.writeHead(403, { 'x-why': 'no' }).end('no'));
    const bytes = await exchangeBytes(
      gateway.url,
      'GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(bytes).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nx-why: no\r\n[\s\S]*no$/);
  });

  it('never leaves for another host, whatever the target says', async () => {
    const targets: (string | undefined)[] = [];
    const gateway = await before((request, response) => {
      targets.push(request.url);
      response.end();
    });
    await exchangeBytes(
      gateway.url,
      'GET http://elsewhere.example/p?q HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n',
    );
    expect(targets).toEqual(['/p?q']);
  });

  it('has the path of the upstream before its own', async () => {
    const paths: (string | undefined)[] = [];
    const upstream = await startUpstream((request, response) => {
      paths.push(request.url);
      response.end();
    });
    closing.push(() => upstream.close());
    const gateway = await gatewayBefore(`${upstream.url}/api/`);
    closing.push(() => gateway.close());
    await fetch(`${gateway.url}/v1/models`);
    expect(paths).toEqual(['/api/v1/models']);
  });

  it('is a large body, byte by byte, compressed as it was', async () => {
    const body = gzipSync(crypto.randomBytes(5_000_000));
    const gateway = await before((request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' });
      request.pipe(response);
    });
    const { body: echoed, headers } = await post(`${gateway.url}/v1/files`, body);
    expect([echoed.equals(body), headers['content-encoding']]).toEqual([true, 'gzip']);
    const measured = await post(`${gateway.url}/v1/chat/completions`, body);
    expect(measured.body.equals(body)).toBe(true);
  });
});

describe('pressure and endings', () => {
  it('stops the upstream while the client does not read', async () => {
    const piece = Buffer.alloc(65_536, 'x');
    let sent = 0;
    let isBlocked = false;
    const gateway = await before((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const write = (): void => {
        while (sent < 200_000_000) {
          sent += piece.length;
          if (!response.write(piece)) {
            isBlocked = true;
            response.once('drain', () => {
              isBlocked = false;
              write();
            });
            return;
          }
        }
      };
      write();
    });
    const socket = net.connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.pause();
    socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    let last = -1;
    await eventually(async () => {
      const now = sent;
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect([isBlocked, sent === now, last !== -2]).toEqual([true, true, true]);
      last = now;
    });
    expect(sent).toBeLessThan(30_000_000);
    socket.resume();
    await eventually(() => expect(sent).toBeGreaterThan(last + 10_000_000));
    socket.destroy();
  });

  it('stops the client while the upstream does not read', async () => {
    const upstream = await startBare((socket) => socket.pause());
    closing.push(() => upstream.close());
    const gateway = await gatewayBefore(upstream.url, ['--drain', '0.2']);
    closing.push(() => gateway.close());
    const socket = net.connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 500000000\r\n\r\n');
    let written = 0;
    const piece = Buffer.alloc(1_000_000);
    const fill = (): void => {
      while (written < 400_000_000) {
        written += piece.length;
        if (!socket.write(piece)) return void socket.once('drain', fill);
      }
    };
    fill();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(written).toBe(before);
    expect(written).toBeLessThan(40_000_000);
    socket.destroy();
  });

  it('tells the upstream that the client has left', async () => {
    let hasLeft = false;
    const gateway = await before((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
      response.on('close', () => {
        hasLeft = true;
      });
    });
    const body = JSON.stringify({ model: 'm', stream: true });
    const request = http.request(`${gateway.url}/v1/chat/completions`, { method: 'POST', agent: false });
    request.on('error', () => undefined);
    request.on('response', (answer) => {
      answer.on('error', () => undefined);
      answer.once('data', () => request.destroy());
    });
    request.end(body);
    await eventually(() => expect(hasLeft).toBe(true));
    await eventually(async () =>
      expect(Object.keys(await readMetrics(gateway, 'inference_requests_total'))[0]).toContain('outcome="cancelled"'),
    );
  });

  it('tells the client that the upstream has broken its answer off', async () => {
    const gateway = await before((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
      setTimeout(() => response.destroy(), 20);
    });
    const { status, isWhole, body } = await post(`${gateway.url}/v1/chat/completions`, { model: 'm', stream: true });
    expect([status, isWhole, body.length > 0]).toEqual([200, false, true]);
    const requests = await readMetrics(gateway, 'inference_requests_total');
    expect(Object.keys(requests)[0]).toContain('outcome="error"');
  });

  it('answers 502 with an error of the API where there is no upstream', async () => {
    const gateway = await gatewayBefore('http://127.0.0.1:1');
    closing.push(() => gateway.close());
    const { status, headers, body } = await post(`${gateway.url}/v1/chat/completions`, { model: 'm' });
    expect([status, headers['x-barograph-gateway-error']]).toEqual([502, 'upstream_unreachable']);
    expect(JSON.parse(body.toString())).toMatchObject({
      error: { type: 'upstream_error', code: 'upstream_unreachable' },
    });
    const other = await post(`${gateway.url}/v1/messages`, { model: 'm' });
    expect(JSON.parse(other.body.toString())).toMatchObject({ type: 'error', error: { type: 'api_error' } });
  });

  it.each([
    ['before it answers', () => undefined, 504, true],
    [
      'in mid-stream',
      (response: http.ServerResponse) =>
        void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n'),
      200,
      false,
    ],
  ])('does not wait for ever for an upstream that stops %s', async (_name, answer, status, isWhole) => {
    const gateway = await before(
      (_request, response) => answer(response),
      [...['--first-byte-timeout', '0.2', '--idle-timeout', '0.2']],
    );
    const got = await post(`${gateway.url}/v1/chat/completions`, { model: 'm', stream: true });
    expect([got.status, got.isWhole]).toEqual([status, isWhole]);
    expect(Object.keys(await readMetrics(gateway, 'inference_requests_total'))[0]).toContain('outcome="timeout"');
  });

  it('answers 502 to what is not HTTP', async () => {
    const gateway = await beforeBytes('SSH-2.0-OpenSSH_9\r\n\r\n');
    const { status, headers } = await post(`${gateway.url}/v1/chat/completions`, { model: 'm' });
    expect([status, headers['x-barograph-gateway-error']]).toEqual([502, 'upstream_malformed']);
  });

  it('sends a request again whose pooled connection the upstream had closed', async () => {
    let connections = 0;
    const upstream = await startBare((socket) => {
      const isFirst = ++connections === 1;
      let answers = 0;
      socket.on('data', () => {
        // The first connection answers once, and closes when the second request arrives on it.
        if (isFirst && ++answers === 2) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}');
      });
    });
    closing.push(() => upstream.close());
    const gateway = await gatewayBefore(upstream.url, ['--drain', '0.2']);
    closing.push(() => gateway.close());
    const ask = (): Promise<{ status: number }> => post(`${gateway.url}/v1/chat/completions`, { model: 'm' });
    expect([(await ask()).status, (await ask()).status, connections]).toEqual([200, 200, 2]);
    expect(await readMetrics(gateway, 'barograph_gateway_resent')).toEqual({ barograph_gateway_resent_total: 1 });
  });

  it('passes an answer on that comes before the body has, and ends it', async () => {
    const gateway = await before((_request, response) => response.writeHead(413).end('too large'));
    const socket = net.connect(Number(new URL(gateway.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('error', () => undefined);
    socket.write(`POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`);
    await eventually(() => expect(text).toMatch(/^HTTP\/1\.1 413 [\s\S]*too large/));
    socket.destroy();
    await eventually(async () =>
      expect(await readMetrics(gateway, 'barograph_gateway_open')).toEqual({ barograph_gateway_open_requests: 0 }),
    );
  });
});

it('holds nothing after 10,000 requests', async () => {
  const gateway = await before((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(
      'data: {"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    );
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  closing.push(() => agent.destroy());
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = http.request(`${gateway.url}/v1/chat/completions`, { method: 'POST', agent });
      request.on('error', reject);
      request.on('response', (answer) => answer.resume().on('end', resolve));
      request.end('{"model":"m","stream":true}');
    });
  const many = async (count: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let i = 0; i < count / 16; i++) await ask();
      }),
    );
  };
  await many(3000);
  const before10k = process.memoryUsage().heapUsed;
  await many(10_000);
  const after = process.memoryUsage().heapUsed;
  const open = await readMetrics(gateway, 'barograph_gateway_');
  expect([open.barograph_gateway_open_requests, open.barograph_gateway_measuring_bytes]).toEqual([0, 0]);
  expect(Object.values(await readMetrics(gateway, 'inference_requests_total'))).toEqual([13_008]);
  // What 10,000 requests left would be some tens of MB; garbage that isn't collected yet moves by less.
  expect(after - before10k).toBeLessThan(40_000_000);
}, 60_000);
