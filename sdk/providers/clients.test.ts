import { context } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AsyncContextManager } from '../async-context.ts';
import { type Collected, collect } from '../fixtures/collected.ts';
import { CANARY } from '../fixtures/hard-cases.ts';
import { dataFrames, type ProviderServer, startProvider } from '../fixtures/provider-server.ts';
import { APIConnectionTimeoutError, StainlessClient, type Stream } from '../fixtures/stainless-client.ts';
import { type ObserveOptions, observeAnthropic, observeOpenAI } from '../index.ts';

let server: ProviderServer;

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncContextManager());
  server = await startProvider();
});

afterAll(async () => {
  context.disable();
  await server.close();
});

const WHOLE = {
  contentType: 'application/json',
  frames: [
    JSON.stringify({
      id: 'chatcmpl-1',
      model: 'gpt-5',
      choices: [{ index: 0, message: { role: 'assistant', content: CANARY }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 2 },
    }),
  ],
};
const CHUNK = {
  id: 'chatcmpl-1',
  model: 'gpt-5',
  choices: [{ index: 0, delta: { content: CANARY }, finish_reason: null }],
};
const STREAM = {
  frames: dataFrames(
    CHUNK,
    { ...CHUNK, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    { ...CHUNK, choices: [], usage: { prompt_tokens: 9, completion_tokens: 1 } },
    '[DONE]',
  ),
};
const BODY = { model: 'gpt-5', messages: [{ role: 'user', content: CANARY }] };

function observed(options: ObserveOptions = {}, retries = 0): { client: StainlessClient; collected: Collected } {
  const collected = collect();
  const client = new StainlessClient(server.url, retries);
  observeOpenAI(client, { instrumentation: collected.instrumentation, ...options });
  return { client, collected };
}

async function outcomesOf(collected: Collected): Promise<Record<string, unknown>> {
  const points = (await collected.metrics()).inference_requests_total ?? [];
  return Object.fromEntries(points.map(({ labels, value }) => [labels.outcome, value]));
}

describe("a client's promise", () => {
  it('keeps each of its ways to be waited for, and each is told once', async () => {
    server.answer(WHOLE);
    const { client, collected } = observed();
    const { create } = client.chat.completions;
    expect(await create(BODY)).toMatchObject({ id: 'chatcmpl-1' });
    const { data, response } = await create(BODY).withResponse();
    expect([(data as { id: string }).id, response.status]).toEqual(['chatcmpl-1', 200]);
    expect(await client.chat.completions.parse(BODY)).toMatchObject({ id: 'chatcmpl-1', parsed: true });
    expect(await create(BODY).finally(() => undefined)).toMatchObject({ id: 'chatcmpl-1' });
    const twice = create(BODY);
    expect(await twice).toBe(await twice);
    expect(await outcomesOf(collected)).toEqual({ ok: 5 });
    expect([...collected.instrumentation.tally.dropped]).toEqual([]);
  });

  it('tells nothing of a bare response, whose end nobody sees', async () => {
    server.answer(WHOLE);
    const { client, collected } = observed();
    const response = await client.chat.completions.create(BODY).asResponse();
    expect(await response.json()).toMatchObject({ id: 'chatcmpl-1' });
    expect(await outcomesOf(collected)).toEqual({});
    expect(collected.instrumentation.tally.dropped.get('raw_response')).toBe(1);
  });

  it('fails as it failed, whichever way it is waited for', async () => {
    server.answer({
      status: 400,
      contentType: 'application/json',
      frames: [`{"error":{"code":"bad","message":"${CANARY}"}}`],
    });
    const { client, collected } = observed();
    const { create } = client.chat.completions;
    await expect(create(BODY)).rejects.toMatchObject({ status: 400 });
    await expect(create(BODY).withResponse()).rejects.toMatchObject({ status: 400 });
    await expect(create(BODY).asResponse()).rejects.toMatchObject({ status: 400 });
    await expect(client.chat.completions.parse(BODY)).rejects.toMatchObject({ status: 400 });
    expect(await create(BODY).catch((error: unknown) => (error as { code: string }).code)).toBe('bad');
    expect(await outcomesOf(collected)).toEqual({ error: 5 });
    expect(collected.spans()[0].attributes['error.type']).toBe('bad');
    expect(await collected.text()).not.toContain(CANARY);
  });

  it('tells of a body that is no JSON', async () => {
    server.answer({ contentType: 'application/json', frames: ['<html>'] });
    const { client, collected } = observed();
    await expect(client.chat.completions.create(BODY)).rejects.toThrow(SyntaxError);
    expect(await outcomesOf(collected)).toEqual({ error: 1 });
  });
});

describe('a stream', () => {
  it('is the same object, with its other ways of reading', async () => {
    server.answer(STREAM);
    const { client, collected } = observed();
    const stream = (await client.chat.completions.create({ ...BODY, stream: true })) as Stream<unknown>;
    expect(stream.controller).toBeInstanceOf(AbortController);
    const items: unknown[] = [];
    for await (const item of stream.toReadableStream()) items.push(item);
    expect(items.length).toBe(3);
    expect(await outcomesOf(collected)).toEqual({ ok: 1 });
  });

  it('gives usage that only the SDK asked for to the SDK only', async () => {
    server.answer(STREAM);
    const { client, collected } = observed({ requestUsage: true });
    const items: unknown[] = [];
    for await (const item of (await client.chat.completions.create({ ...BODY, stream: true })) as Stream<unknown>)
      items.push(item);
    expect(items.length).toBe(2);
    expect(server.requests.at(-1)?.stream_options).toEqual({ include_usage: true });
    const tokens = (await collected.metrics()).inference_tokens_total;
    expect(tokens.map(({ value }) => value)).toEqual([9, 1]);

    const own = { ...BODY, stream: true, stream_options: { include_usage: true } };
    const all: unknown[] = [];
    for await (const item of (await client.chat.completions.create(own)) as Stream<unknown>) all.push(item);
    expect(all.length).toBe(3);
  });
});

it("counts the client's own attempts, by why they were made", async () => {
  const busy = { status: 429, contentType: 'application/json', frames: ['{"error":{"code":"rate_limit_exceeded"}}'] };
  const broken = { status: 503, contentType: 'application/json', frames: ['{}'] };
  server.answer(busy, broken, WHOLE);
  const { client, collected } = observed({}, 2);
  await client.chat.completions.create(BODY);
  const retries = (await collected.metrics()).inference_retries_total;
  expect(retries.map(({ labels, value }) => [labels.model_version, labels.reason, value])).toEqual([
    ['gpt-5', 'rate_limited', 1],
    ['gpt-5', 'overloaded', 1],
  ]);
  expect(await outcomesOf(collected)).toEqual({ ok: 1 });
  expect(collected.spans().map(({ attributes }) => attributes.attempts)).toEqual([3]);
});

it('tells timeouts and aborts before an answer apart', async () => {
  server.answer({ frames: [3000] });
  const { client, collected } = observed();
  const controller = new AbortController();
  const waiting = client.chat.completions.create(BODY, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(waiting).rejects.toThrow();
  const refused = new StainlessClient('http://127.0.0.1:9', 0);
  observeOpenAI(refused, { instrumentation: collected.instrumentation });
  await expect(refused.chat.completions.create(BODY)).rejects.toThrow();
  collected.instrumentation.inference({ model: 'gpt-5' }).fail(new APIConnectionTimeoutError());
  expect(await outcomesOf(collected)).toEqual({ cancelled: 1, error: 1, timeout: 1 });
});

it('tells embeddings as a span, and as no request of inference', async () => {
  server.answer({
    contentType: 'application/json',
    frames: ['{"model":"text-embedding-3","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":7,"total_tokens":7}}'],
  });
  const { client, collected } = observed();
  await client.embeddings.create({ model: 'text-embedding-3', input: CANARY });
  expect(await outcomesOf(collected)).toEqual({});
  const [span] = collected.spans();
  expect([span.name, span.attributes['gen_ai.operation.name'], span.attributes['gen_ai.usage.input_tokens']]).toEqual([
    'embeddings',
    'embeddings',
    7,
  ]);
});

it('observes a client once and its copies too, and leaves one without known methods alone', async () => {
  server.answer(WHOLE);
  const { client, collected } = observed();
  observeOpenAI(client, { instrumentation: collected.instrumentation });
  observeAnthropic(client, { instrumentation: collected.instrumentation });
  await client.chat.completions.create(BODY);
  expect(await outcomesOf(collected)).toEqual({ ok: 1 });
  await client.withOptions({ maxRetries: 1 }).chat.completions.create(BODY);
  expect(await outcomesOf(collected)).toEqual({ ok: 2 });
  const bare = {};
  expect(observeOpenAI(bare)).toBe(bare);
});
