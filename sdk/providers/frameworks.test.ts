import { describe, expect, it } from 'vitest';
import { type Collected, collect } from '../fixtures/collected.ts';
import { CANARY } from '../fixtures/hard-cases.ts';
import { aiMiddleware, langChainHandler } from '../index.ts';

async function summaryOf(collected: Collected) {
  const metrics = await collected.metrics();
  return {
    outcomes: (metrics.inference_requests_total ?? []).map(({ labels }) => labels.outcome),
    first: (metrics.inference_ttft_seconds ?? []).map(({ labels }) => labels.first),
    tokens: Object.fromEntries(
      (metrics.inference_tokens_total ?? []).map(({ labels, value }) => [labels.token_type, value]),
    ),
    models: collected.spans().map(({ attributes }) => attributes['gen_ai.request.model']),
  };
}

/** A call as the AI SDK makes it to a middleware. */
function call(parts: readonly object[], failsAfter?: Error) {
  const stream = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      if (failsAfter) controller.error(failsAfter);
      else controller.close();
    },
  });
  return {
    doStream: async () => ({ stream, request: { body: CANARY } }),
    params: { prompt: [{ role: 'user', content: CANARY }], maxOutputTokens: 100 },
    model: { modelId: 'gpt-5', provider: 'openai.responses' },
  };
}

const V5_PARTS = [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', id: 'resp_1', modelId: 'gpt-5' },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', delta: CANARY },
  { type: 'text-start', id: '1' },
  { type: 'text-delta', id: '1', delta: '' },
  { type: 'text-delta', id: '1', delta: CANARY },
  { type: 'text-end', id: '1' },
];

describe('the middleware of the Vercel AI SDK', () => {
  it.each([
    [
      'version 5',
      [
        ...V5_PARTS,
        {
          type: 'finish',
          finishReason: 'stop',
          usage: { inputTokens: 20, outputTokens: 2, reasoningTokens: 1, cachedInputTokens: 16 },
        },
      ],
      { outcomes: ['ok'], first: ['reasoning', 'visible'], tokens: { input: 20, output: 2, cached: 16, reasoning: 1 } },
    ],
    [
      'version 6',
      [
        ...V5_PARTS,
        {
          type: 'finish',
          finishReason: { unified: 'content-filter', raw: 'content_filter' },
          usage: {
            inputTokens: { total: 20, noCache: 4, cacheRead: 16 },
            outputTokens: { total: 2, text: 1, reasoning: 1 },
          },
        },
      ],
      {
        outcomes: ['refused'],
        first: ['reasoning', 'visible'],
        tokens: { input: 20, output: 2, cached: 16, reasoning: 1 },
      },
    ],
    [
      'version 4',
      [
        { type: 'text-delta', textDelta: CANARY },
        { type: 'finish', finishReason: 'length', usage: { promptTokens: 5, completionTokens: 9 } },
      ],
      { outcomes: ['truncated'], first: ['visible'], tokens: { input: 5, output: 9 } },
    ],
    [
      'a tool call',
      [
        { type: 'tool-input-start', id: '1', toolName: 'look_up' },
        { type: 'tool-input-delta', id: '1', delta: CANARY },
        { type: 'tool-call', toolCallId: '1', toolName: 'look_up', input: CANARY },
        { type: 'finish', finishReason: 'tool-calls', usage: { inputTokens: 5, outputTokens: 9 } },
      ],
      { outcomes: ['ok'], first: ['visible'], tokens: { input: 5, output: 9 } },
    ],
    [
      'an error in the stream',
      [
        { type: 'text-delta', id: '1', delta: CANARY },
        { type: 'error', error: new Error(CANARY) },
        { type: 'finish', finishReason: 'error', usage: {} },
      ],
      { outcomes: ['error'], first: ['visible'], tokens: {} },
    ],
    ['a stream without an end', V5_PARTS, { outcomes: ['error'], first: ['reasoning', 'visible'], tokens: {} }],
  ])('tells %s, and passes its parts on', async (_name, parts, expected) => {
    const collected = collect();
    const middleware = aiMiddleware({ instrumentation: collected.instrumentation });
    const { stream, request } = await middleware.wrapStream(call(parts));
    const seen: unknown[] = [];
    for await (const part of stream) seen.push(part);
    expect(seen).toEqual(parts);
    expect(request).toEqual({ body: CANARY });
    expect(await summaryOf(collected)).toEqual({ ...expected, models: ['gpt-5'] });
    expect(await collected.text()).not.toContain(CANARY);
  });

  it('tells whole answers, failures and readers that leave', async () => {
    const collected = collect();
    const middleware = aiMiddleware({ instrumentation: collected.instrumentation });
    const result = {
      content: [{ type: 'text', text: CANARY }],
      finishReason: 'stop',
      usage: { inputTokens: 5, outputTokens: 9 },
    };
    expect(await middleware.wrapGenerate({ doGenerate: async () => result, ...call([]) })).toBe(result);
    const failure = Object.assign(new Error(CANARY), { name: 'AI_APICallError' });
    const fails = async () => {
      throw failure;
    };
    await expect(middleware.wrapGenerate({ doGenerate: fails })).rejects.toBe(failure);
    await expect(middleware.wrapStream({ doStream: fails })).rejects.toBe(failure);
    const { stream } = await middleware.wrapStream(call(V5_PARTS));
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    const broken = await middleware.wrapStream(call([], failure));
    await expect(broken.stream.getReader().read()).rejects.toBe(failure);
    expect(collected.spans().map(({ attributes }) => attributes.outcome)).toEqual([
      'ok',
      'error',
      'error',
      'cancelled',
      'error',
    ]);
    expect(await collected.text()).not.toContain(CANARY);
  });
});

describe('the handler for LangChain.js', () => {
  const LLM = { id: ['langchain', 'chat_models', 'openai', 'ChatOpenAI'], kwargs: { model: 'gpt-5' } };
  const MESSAGES = [[{ content: CANARY }]];
  const MESSAGE = {
    content: CANARY,
    usage_metadata: { input_tokens: 30, output_tokens: 2, input_token_details: { cache_read: 20 } },
    response_metadata: { finish_reason: 'stop', model_name: 'gpt-5' },
  };

  it('tells a stream', async () => {
    const collected = collect();
    const handler = langChainHandler({ instrumentation: collected.instrumentation });
    handler.handleChatModelStart(LLM, MESSAGES, 'run', undefined, {
      invocation_params: { model: 'gpt-5', stream: true },
    });
    handler.handleLLMNewToken('', { prompt: 0 }, 'run', undefined, [], { chunk: { message: { content: '' } } });
    const thinking = { additional_kwargs: { reasoning_content: CANARY }, content: '' };
    handler.handleLLMNewToken('', { prompt: 0 }, 'run', undefined, [], { chunk: { message: thinking } });
    handler.handleLLMNewToken(CANARY, { prompt: 0 }, 'run');
    handler.handleLLMEnd({ generations: [[{ text: CANARY, message: MESSAGE }]] }, 'run');
    handler.handleLLMEnd({ generations: [] }, 'run');
    expect(await summaryOf(collected)).toEqual({
      outcomes: ['ok'],
      first: ['reasoning', 'visible'],
      tokens: { input: 30, output: 2, cached: 20 },
      models: ['gpt-5'],
    });
    expect(collected.spans()[0].attributes['gen_ai.provider.name']).toBe('openai');
    expect(await collected.text()).not.toContain(CANARY);
  });

  it('tells whole answers, failures, and empty ones', async () => {
    const collected = collect();
    const handler = langChainHandler({ instrumentation: collected.instrumentation });
    const usage = { tokenUsage: { promptTokens: 4, completionTokens: 5 } };
    handler.handleLLMStart(LLM, [CANARY], 'a');
    handler.handleLLMEnd(
      { generations: [[{ text: CANARY, generationInfo: { finish_reason: 'length' } }]], llmOutput: usage },
      'a',
    );
    handler.handleLLMStart(LLM, [CANARY], 'b');
    handler.handleLLMError(new Error(CANARY), 'b');
    handler.handleLLMStart(LLM, [CANARY], 'c');
    handler.handleLLMEnd(
      { generations: [[{ text: '' }]], llmOutput: { tokenUsage: { promptTokens: 0, completionTokens: 0 } } },
      'c',
    );
    handler.handleLLMError(new Error(CANARY), 'never began');
    const { outcomes, tokens, first } = await summaryOf(collected);
    expect([outcomes.toSorted(), tokens, first]).toEqual([
      ['empty', 'error', 'truncated'],
      { input: 4, output: 5 },
      [],
    ]);
    expect(await collected.text()).not.toContain(CANARY);
  });

  it('holds so many open runs at most', () => {
    const collected = collect();
    const handler = langChainHandler({ instrumentation: collected.instrumentation });
    for (let i = 0; i < 10_003; i++) handler.handleLLMStart(LLM, [], `run ${i}`);
    expect(collected.instrumentation.tally.dropped.get('open_runs_full')).toBe(3);
  });
});
