import http from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CANARY, HARD_CASES, type HardCase } from '../../sdk/fixtures/hard-cases.ts';
import { type Frame, startProvider } from '../../sdk/fixtures/provider-server.ts';
import { eventually, gatewayBefore, post, readMetrics, startUpstream } from './gateway-fixture.ts';
import type { RunningGateway } from './run.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function before(url: string, args: readonly string[] = []): Promise<RunningGateway> {
  const gateway = await gatewayBefore(url, ['--drain', '0.2', ...args]);
  closing.push(() => gateway.close());
  return gateway;
}

/** A gateway before an upstream that sends these pieces, each on its own, with these headers. */
async function beforePieces(
  pieces: () => readonly Buffer[],
  headers: http.OutgoingHttpHeaders = { 'content-type': 'text/event-stream' },
  args: readonly string[] = [],
  onRequest: (request: http.IncomingMessage, body: string) => void = () => undefined,
): Promise<RunningGateway> {
  const upstream = await startUpstream(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    onRequest(request, body);
    response.writeHead(200, headers);
    for (const piece of pieces()) {
      response.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  closing.push(() => upstream.close());
  return before(upstream.url, args);
}

const PATHS = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  responses: '/v1/responses',
  messages: '/v1/messages',
};

async function outcomes(gateway: RunningGateway): Promise<string[]> {
  const series = Object.keys(await readMetrics(gateway, 'inference_requests_total{'));
  return series.map((one) => /outcome="(\w+)"/.exec(one)?.[1] ?? '');
}

/** Sums of a metric by one of its labels, zeros left out. */
async function sums(gateway: RunningGateway, metric: string, label: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [series, value] of Object.entries(await readMetrics(gateway, `${metric}{`))) {
    const key = new RegExp(`${label}="([^"]*)"`).exec(series)?.[1] ?? '';
    if (value > 0) found[key] = (found[key] ?? 0) + value;
  }
  return found;
}

/** What a client of a case reads: all, or until it leaves. */
function read(url: string, { reads }: HardCase, body: object): Promise<string> {
  return new Promise((resolve) => {
    const request = http.request(url, { method: 'POST', agent: false }, (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => {
        text += part.toString();
        if (reads !== undefined && reads !== 'all' && text.includes(CANARY)) request.destroy();
      });
      answer.on('error', () => undefined);
      answer.on('close', () => resolve(text));
    });
    request.on('error', () => resolve(''));
    request.end(JSON.stringify(body));
  });
}

describe("the SDK's hard cases, through the gateway", () => {
  it.each(HARD_CASES.map((one) => [one.name, one] as const))('%s', async (_name, hard) => {
    const provider = await startProvider();
    closing.push(() => provider.close());
    provider.answer(hard.answer);
    const gateway = await before(provider.url);
    const body = { model: 'gpt-5', stream: hard.streamed !== false, messages: [{ role: 'user', content: CANARY }] };
    const text = await read(gateway.url + PATHS[hard.way], hard, body);
    const { expected } = hard;
    if (hard.reads === undefined || hard.reads === 'all')
      expect(text).toBe(
        hard.answer.frames.filter((frame: Frame) => typeof frame === 'string' && frame !== 'BREAK').join(''),
      );
    await eventually(async () => expect(await outcomes(gateway)).toEqual([expected.outcome]));
    const firsts = await sums(gateway, 'inference_ttft_seconds_count', 'first');
    expect(Object.keys(firsts).sort()).toEqual([...(expected.firsts ?? [])].sort());
    if (expected.tokens) expect(await sums(gateway, 'inference_tokens_total', 'token_type')).toEqual(expected.tokens);
    if (expected.ttftMs) {
      const [atLeast, below] = expected.ttftMs;
      const seconds = await sums(gateway, 'inference_ttft_seconds_sum', 'first');
      const first = seconds[expected.firsts?.[0] ?? ''] * 1000;
      // Other tests of this machine may hold it up; that it isn't early is what counts.
      expect([first >= atLeast, first < below + 300]).toEqual([true, true]);
    }
    const gaps = await readMetrics(gateway, 'inference_inter_token_latency_seconds_count');
    if (expected.gaps !== undefined) expect(Object.values(gaps)[0] ?? 0).toBe(expected.gaps);
    const perToken = await readMetrics(gateway, 'inference_time_per_output_token_seconds_count');
    if (expected.perToken !== undefined) expect(Object.keys(perToken).length > 0).toBe(expected.perToken);
    const all = await (await fetch(`${gateway.metricsUrl}/metrics`)).text();
    expect(all).not.toContain(CANARY);
  });
});

const chunk = (delta: object, more: object = {}, finish_reason: string | null = null): string =>
  JSON.stringify({ id: 'c1', model: 'm-1', created: 1, choices: [{ index: 0, delta, finish_reason }], ...more });
const USAGE = { prompt_tokens: 20, completion_tokens: 4, total_tokens: 24 };
const usageChunk = JSON.stringify({ id: 'c1', model: 'm-1', choices: [], usage: USAGE });

/** Streams as providers write them, and what is to be said of each. */
const FORMATS: Record<string, string> = {
  'Azure, whose first event is a filter of the prompt':
    'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}\n\n' +
    `data: ${chunk({ content: '', role: 'assistant', refusal: null })}\n\n` +
    ['a', 'b', 'c'].map((content) => `data: ${chunk({ content }, { content_filter_results: {} })}\n\n`).join('') +
    `data: ${chunk({}, {}, 'stop')}\n\ndata: ${usageChunk}\n\ndata: [DONE]\n\n`,
  'vLLM with usage in each event': `${['', 'a', 'b', 'c']
    .map((content, i) => `data: ${chunk({ content }, { usage: { ...USAGE, completion_tokens: i } })}\n\n`)
    .join('')}data: ${chunk({ content: '' }, { usage: USAGE }, 'stop')}\n\ndata: ${usageChunk}\n\ndata: [DONE]\n\n`,
  'OpenRouter with comments while it waits':
    ': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n' +
    ['a', 'b', 'c'].map((content) => `data: ${chunk({ role: 'assistant', content }, { provider: 'X' })}\n\n`).join('') +
    `data: ${chunk({ content: '' }, { usage: USAGE }, 'stop')}\n\n: OPENROUTER PROCESSING\n\ndata: [DONE]\n\n`,
  'lines that end with CR and LF':
    ['a', 'b', 'c'].map((content) => `data: ${chunk({ content })}\r\n\r\n`).join('') +
    `data: ${chunk({}, {}, 'stop')}\r\n\r\ndata: ${usageChunk}\r\n\r\ndata: [DONE]\r\n\r\n`,
  'texts full of quotes, escapes and other alphabets':
    ['"}]},\\"', '\\\\\u2028{"usage":', '日本 \u{1f600}'].map((content) => `data: ${chunk({ content })}\n\n`).join('') +
    `data: ${chunk({}, {}, 'stop')}\n\ndata: ${usageChunk}\n\ndata: [DONE]\n\n`,
};

function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const places = [0, ...shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places
    .slice(1)
    .map((place, i) => bytes.subarray(places[i], place))
    .filter(({ length }) => length > 0);
}

describe('formats of providers', () => {
  it.each(Object.entries(FORMATS))('%s, cut anywhere', async (_name, text) => {
    const bytes = Buffer.from(text);
    let pieces: Buffer[] = [];
    const gateway = await beforePieces(() => pieces);
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }), async (shares) => {
        pieces = cut(bytes, shares);
        const { body } = await post(gateway.url + PATHS.chat, { model: 'm', stream: true });
        expect(body.toString()).toBe(text);
        asked++;
      }),
      { numRuns: 25 },
    );
    await eventually(async () =>
      expect(await sums(gateway, 'inference_requests_total', 'outcome')).toEqual({ ok: asked }),
    );
    expect(await sums(gateway, 'inference_tokens_total', 'token_type')).toEqual({
      input: 20 * asked,
      output: 4 * asked,
    });
    expect(await sums(gateway, 'inference_ttft_seconds_count', 'first')).toEqual({ visible: asked });
    expect(await readMetrics(gateway, 'barograph_gateway_unmeasured')).toEqual({});
  });

  it.each(['gzip', 'br', 'deflate', 'zstd'] as const)('%s, which passes as it is', async (encoding) => {
    const pack = { gzip: zlib.gzip, br: zlib.brotliCompress, deflate: zlib.deflate, zstd: zlib.zstdCompress }[encoding];
    const packed = (await promisify(pack as typeof zlib.gzip)(FORMATS['lines that end with CR and LF'])) as Buffer;
    const gateway = await beforePieces(() => cut(packed, [0.3, 0.6]), {
      'content-type': 'text/event-stream',
      'content-encoding': encoding,
    });
    const { body, headers } = await post(gateway.url + PATHS.chat, { model: 'm', stream: true });
    expect([body.equals(packed), headers['content-encoding']]).toEqual([true, encoding]);
    await eventually(async () =>
      expect(await sums(gateway, 'inference_tokens_total', 'token_type')).toEqual({ input: 20, output: 4 }),
    );
  });

  it('counts what it cannot decode, and passes it on', async () => {
    const gateway = await beforePieces(() => [Buffer.from('not gzip')], {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    expect((await post(gateway.url + PATHS.chat, { model: 'm' })).body.toString()).toBe('not gzip');
    await eventually(async () =>
      expect(await sums(gateway, 'barograph_gateway_unmeasured_total', 'reason')).toEqual({ decode_error: 1 }),
    );
    await eventually(async () => expect(await outcomes(gateway)).toEqual(['ok']));
  });

  it('is not unpacked without a limit', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(200_000_000, ' '));
    const gateway = await beforePieces(() => [bomb], {
      'content-type': 'text/event-stream',
      'content-encoding': 'gzip',
    });
    expect((await post(gateway.url + PATHS.chat, { model: 'm', stream: true })).body.equals(bomb)).toBe(true);
    await eventually(async () => {
      const reasons = Object.keys(await sums(gateway, 'barograph_gateway_unmeasured_total', 'reason'));
      expect(reasons.length).toBeGreaterThan(0);
      expect((await readMetrics(gateway, 'barograph_gateway_measuring_bytes')).barograph_gateway_measuring_bytes).toBe(
        0,
      );
    });
  });

  it('reads most events by their shape', async () => {
    const text = Array.from({ length: 200 }, (_, i) => `data: ${chunk({ content: `w${i}` })}\n\n`).join('');
    const gateway = await beforePieces(() => [Buffer.from(`${text}data: ${chunk({}, {}, 'stop')}\n\n`)]);
    await post(gateway.url + PATHS.chat, { model: 'm', stream: true });
    expect(await sums(gateway, 'barograph_gateway_events_total', 'read')).toEqual({ by_shape: 199, parsed: 2 });
  });
});

describe('embeddings and large answers', () => {
  it('are read for what they say of themselves, at any size', async () => {
    const data = Array.from({ length: 50 }, () => ({ embedding: Array.from({ length: 1000 }, Math.random) }));
    const body = Buffer.from(JSON.stringify({ data, model: 'embed-1', usage: { prompt_tokens: 9, total_tokens: 9 } }));
    const gateway = await beforePieces(() => cut(body, [0.1, 0.5, 0.99]), { 'content-type': 'application/json' });
    expect((await post(`${gateway.url}/v1/embeddings`, { model: 'embed-1', input: CANARY })).body.equals(body)).toBe(
      true,
    );
    // Embeddings aren't inference: they have a span and no metric of it.
    expect(await readMetrics(gateway, 'inference_requests_total')).toEqual({});
    expect(await readMetrics(gateway, 'barograph_gateway_answers')).toEqual({
      'barograph_gateway_answers_total{way="embeddings",status_class="2xx"}': 1,
    });
  });

  it('have their usage, and no more is claimed, where they are too large to be parsed', async () => {
    const content = 'x'.repeat(5_000_000);
    const answer = { model: 'm-1', choices: [{ message: { content }, finish_reason: 'length' }], usage: USAGE };
    const body = Buffer.from(JSON.stringify(answer));
    const gateway = await beforePieces(() => [body], { 'content-type': 'application/json' });
    expect((await post(gateway.url + PATHS.chat, { model: 'm' })).body.equals(body)).toBe(true);
    expect(await sums(gateway, 'inference_tokens_total', 'token_type')).toEqual({ input: 20, output: 4 });
    expect(await sums(gateway, 'barograph_gateway_unmeasured_total', 'reason')).toEqual({ body_too_large: 1 });
  });
});

describe('usage that is asked for', () => {
  const events = [chunk({ content: 'a' }), chunk({}, {}, 'stop'), usageChunk, '[DONE]'].map(
    (data) => `data: ${data}\n\n`,
  );

  it('is taken out again for a client that did not ask', async () => {
    let asked = '';
    let pieces: Buffer[] = [];
    const gateway = await beforePieces(
      () => pieces,
      undefined,
      ['--ask-usage'],
      (_request, body) => {
        asked = body;
      },
    );
    for (const shares of [[], [0.2, 0.5, 0.7, 0.71, 0.9], Array.from({ length: 300 }, (_, i) => i / 300)]) {
      pieces = cut(Buffer.from(events.join('')), shares);
      const sent = '{ "model":"m","stream":true, "messages":[] }';
      const { body, headers } = await post(gateway.url + PATHS.chat, Buffer.from(sent));
      expect(asked).toBe('{"stream_options":{"include_usage":true}, "model":"m","stream":true, "messages":[] }');
      expect(body.toString()).toBe(events.filter((_, i) => i !== 2).join(''));
      expect(headers['x-barograph-usage']).toBe('asked, and hidden');
    }
    expect(await sums(gateway, 'inference_tokens_total', 'token_type')).toEqual({ input: 60, output: 12 });
  });

  it.each([
    ['the client has asked itself', { stream: true, stream_options: { include_usage: true } }, PATHS.chat],
    ['the client said no', { stream: true, stream_options: { include_usage: false } }, PATHS.chat],
    ['nothing is streamed', { stream: false }, PATHS.chat],
    ['the API has no such option', { stream: true }, PATHS.responses],
  ])('is not asked for where %s', async (_name, body, path) => {
    let asked = '';
    const gateway = await beforePieces(
      () => [Buffer.from(events.join(''))],
      undefined,
      ['--ask-usage'],
      (_request, got) => {
        asked = got;
      },
    );
    const answer = await post(gateway.url + path, body);
    expect([asked, answer.body.toString()]).toEqual([JSON.stringify(body), events.join('')]);
  });

  it('is not asked for unless policy says so', async () => {
    let asked = '';
    const gateway = await beforePieces(
      () => [Buffer.from(events.join(''))],
      undefined,
      [],
      (_request, got) => {
        asked = got;
      },
    );
    await post(gateway.url + PATHS.chat, { model: 'm', stream: true });
    expect(asked).toBe('{"model":"m","stream":true}');
  });
});

describe('classes and traces', () => {
  const answer = JSON.stringify({
    model: 'gpt-5-2026-08-07',
    choices: [{ message: { content: 'a' }, finish_reason: 'stop' }],
    usage: USAGE,
  });
  const json = { 'content-type': 'application/json' };

  it('come from route, header and model by policy, and headers only out of their list', async () => {
    const gateway = await beforePieces(() => [Buffer.from(answer)], json, [
      ...['--label', 'region=eu', '--route', '/v1/chat,prompt_class=talk,deployment=chat'],
      ...['--label-from-header', 'customer_tier=x-tier:free|pro', '--model', 'gpt-5*=gpt-5'],
    ]);
    await post(gateway.url + PATHS.chat, { model: 'gpt-5' }, { 'x-tier': 'pro' });
    await post(gateway.url + PATHS.chat, { model: 'gpt-5' }, { 'x-tier': `my secret is ${CANARY}` });
    await post(gateway.url + PATHS.chat, { model: `what is ${CANARY}` }, { 'x-tier': 'free' });
    const series = Object.keys(await readMetrics(gateway, 'inference_requests_total'));
    const common = 'deployment="chat",customer_tier=';
    expect(series.map((one) => one.replace('inference_requests_total', '')).sort()).toEqual([
      `{model_version="gpt-5",${common}"other",region="eu",outcome="ok"}`,
      `{model_version="gpt-5",${common}"pro",region="eu",outcome="ok"}`,
      `{model_version="gpt-5-2026-08-07",${common}"free",region="eu",outcome="ok"}`,
    ]);
    expect(await (await fetch(`${gateway.metricsUrl}/metrics`)).text()).not.toContain(CANARY);
  });

  it('leave the header of the trace as it is where no spans are made', async () => {
    let got: string | undefined;
    const gateway = await beforePieces(
      () => [Buffer.from(answer)],
      json,
      [],
      ({ headers }) => {
        got = headers.traceparent as string | undefined;
      },
    );
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(trace.getTracerProvider()).toBeDefined();
    await post(gateway.url + PATHS.chat, { model: 'm' }, { traceparent });
    expect(got).toBe(traceparent);
    await post(gateway.url + PATHS.chat, { model: 'm' });
    expect(got).toBe(undefined);
  });

  it('count retries of a client that numbers its attempts', async () => {
    const gateway = await beforePieces(() => [Buffer.from(answer)], json);
    await post(gateway.url + PATHS.chat, { model: 'm' }, { 'x-stainless-retry-count': '0' });
    await post(gateway.url + PATHS.chat, { model: 'm' }, { 'x-stainless-retry-count': '1' });
    expect(await sums(gateway, 'inference_retries_total', 'reason')).toEqual({ client_retry: 1 });
  });
});
