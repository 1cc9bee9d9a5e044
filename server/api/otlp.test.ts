import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { OtlpWays } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import { BodyBudget } from './body-budget.ts';
import type { OtlpReceiver } from './otlp.ts';
import { type GrpcReceiver, startOtlpGrpc } from './otlp-grpc.ts';
import { createOtlpHttpServer } from './server.ts';

/** Counts by receiver and status of the test at hand. */
let counts: string[] = [];

/** A receiver whose way for spans does what a test says. */
function receiver(take: () => { accepted: number; rejected: number; reason: string | undefined }): OtlpReceiver {
  counts = [];
  return {
    store: { writer: { commit: async () => {} } } as unknown as OtlpReceiver['store'],
    ways: { traces: { take } } as unknown as OtlpWays,
    count: (name, status) => counts.push(`${name} ${status}`),
  };
}

function overloaded(): never {
  throw new BarographError({ code: 'overloaded', status: 503, where: 'store', got: 'too much' });
}

const taken = () => ({ accepted: 0, rejected: 0, reason: undefined });
const OPTIONS = { token: undefined, maxBodyBytes: 1000, bodies: new BodyBudget(4000) };

describe('OTLP over HTTP', () => {
  it('tells senders under pressure when to come again, in both encodings', async () => {
    const app = createOtlpHttpServer(receiver(overloaded), OPTIONS);
    const json = await app.inject({
      method: 'POST',
      url: '/v1/traces',
      headers: { 'content-type': 'application/json' },
      payload: '{}',
    });
    expect([json.statusCode, json.headers['retry-after']]).toEqual([503, '5']);
    expect(json.json()).toMatchObject({ code: 14, message: 'store: got too much' });
    const proto = await app.inject({
      method: 'POST',
      url: '/v1/traces',
      headers: { 'content-type': 'application/x-protobuf; charset=utf-8' },
    });
    expect(proto.statusCode).toBe(503);
    expect(proto.rawPayload.includes('google.rpc.RetryInfo')).toBe(true);
    expect(counts).toEqual(['otlp_http_traces 503', 'otlp_http_traces 503']);
  });

  it('never shows an unexpected error', async () => {
    const app = createOtlpHttpServer(
      receiver(() => {
        throw new Error('secret');
      }),
      OPTIONS,
    );
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/traces',
      headers: { 'content-type': 'application/json' },
      payload: '{}',
    });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('secret');
  });

  it('answers an empty request with success, and a large one with 413 and a status', async () => {
    const app = createOtlpHttpServer(receiver(taken), OPTIONS);
    const headers = { 'content-type': 'application/x-protobuf' };
    const empty = await app.inject({ method: 'POST', url: '/v1/traces', headers });
    expect([empty.statusCode, empty.rawPayload.length, empty.headers['content-type']]).toEqual([
      200,
      0,
      'application/x-protobuf',
    ]);
    const large = await app.inject({ method: 'POST', url: '/v1/traces', headers, payload: Buffer.alloc(1001) });
    expect([large.statusCode, large.rawPayload[0], large.rawPayload[1]]).toEqual([413, 0x08, 8]);
  });

  it('refuses requests without the token', async () => {
    const app = createOtlpHttpServer(receiver(taken), { ...OPTIONS, token: 'a-token-of-16-letters' });
    const request = {
      method: 'POST',
      url: '/v1/traces',
      headers: { 'content-type': 'application/json' },
      payload: '{}',
    } as const;
    expect((await app.inject(request)).statusCode).toBe(401);
    const headers = { ...request.headers, authorization: 'Bearer a-token-of-16-letters' };
    expect((await app.inject({ ...request, headers })).statusCode).toBe(200);
  });
});

describe('the budget of bodies in flight', () => {
  it('refuses what would go past it and takes it back with the answer', async () => {
    const bodies = new BodyBudget(1500);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = receiver(taken);
    const store = { writer: { commit: () => held } } as unknown as OtlpReceiver['store'];
    const app = createOtlpHttpServer({ ...slow, store }, { ...OPTIONS, bodies });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const post = () =>
      fetch(`${url}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{}${' '.repeat(900)}`,
      });
    const first = post();
    await expect.poll(() => bodies.held).toBe(902);
    const second = await post();
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '5']);
    release();
    expect((await first).status).toBe(200);
    await expect.poll(() => bodies.held).toBe(0);
    expect((await post()).status).toBe(200);
    await app.close();
  });
});

describe('OTLP over gRPC', () => {
  let grpc: GrpcReceiver;
  let client: Client;

  afterEach(async () => {
    client.close();
    await grpc.close();
  });

  async function start(take: () => never | ReturnType<typeof taken>, token?: string): Promise<void> {
    grpc = await startOtlpGrpc(() => receiver(take), { host: '127.0.0.1', port: 0, token });
    client = new Client(`127.0.0.1:${grpc.port}`, credentials.createInsecure());
  }

  function send(message: Buffer, metadata = new Metadata()): Promise<Buffer> {
    const asIs = (value: Buffer): Buffer => value;
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asIs, asIs, message, metadata, (error, answer) =>
        error ? reject(error) : resolve(answer as Buffer),
      );
    });
  }

  const failure = (message: Buffer): Promise<ServiceError> =>
    send(message).then(
      () => Promise.reject(),
      (e) => e,
    );

  it('answers INVALID_ARGUMENT to a malformed message', async () => {
    await start(taken);
    expect((await failure(Buffer.from([0x0a, 100, 1]))).code).toBe(3);
    expect(counts).toEqual(['otlp_grpc_traces 400']);
  });

  it('answers UNAVAILABLE under pressure and says when to come again', async () => {
    await start(overloaded);
    const error = await failure(Buffer.alloc(0));
    expect(error.code).toBe(14);
    expect(String(error.metadata.get('grpc-status-details-bin')[0])).toContain('google.rpc.RetryInfo');
  });

  it('answers RESOURCE_EXHAUSTED to a message beyond 64 MiB', async () => {
    await start(taken);
    expect((await failure(Buffer.alloc(64 * 1024 * 1024 + 1))).code).toBe(8);
  });

  it('lets calls with the token in and no others', async () => {
    await start(taken, 'a-token-of-16-letters');
    expect((await failure(Buffer.alloc(0))).code).toBe(16);
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer a-token-of-16-letters');
    expect((await send(Buffer.alloc(0), metadata)).length).toBe(0);
  });

  it('says which key to change where the port is taken', async () => {
    await start(taken);
    const again = startOtlpGrpc(() => receiver(taken), { host: '127.0.0.1', port: grpc.port, token: undefined });
    await expect(again).rejects.toThrow(/server\.otlp_grpc_port/);
  });
});
