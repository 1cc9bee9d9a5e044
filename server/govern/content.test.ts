import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Labels, type LogEntry, labelsToRecord, type Span } from '../model/index.ts';
import { createGovernor } from './governor.ts';

/** The word that must come out nowhere; the sentence around it is what people write to a model. */
const MARKER = 'zanzibarcanary';
const PROSE = `please tell me why my ${MARKER} does not work`;

const SPAN: Span = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: '',
  traceState: '',
  name: 'chat gpt-4o',
  kind: 'client',
  startNs: 1n,
  durationNs: 2n,
  status: 'error',
  statusMessage: '',
  serviceName: 'llm-gateway',
  resource: { 'service.name': 'llm-gateway' },
  scopeName: 'gateway',
  scopeVersion: '1.0.0',
  attributes: { 'gen_ai.operation.name': 'chat' },
  events: [],
  links: [],
};

function show(value: unknown): string {
  return JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? String(member) : member)) ?? '';
}

function entry(line: string, parts: Partial<LogEntry> = {}): LogEntry {
  return { stream: ['job', 'vllm'], timestampNs: 5n, line, metadata: [], ...parts };
}

const link = (attributes: Span['attributes']) => [{ traceId: SPAN.traceId, spanId: SPAN.spanId, attributes }];
const event = (name: string, attributes: Span['attributes']) => [{ timeNs: 1n, name, attributes }];

/** Places in a span where content was seen to hide. */
const SPANS: Record<string, Partial<Span>> = {
  'input messages': { attributes: { 'gen_ai.input.messages': `[{"role":"user","parts":[{"content":"${PROSE}"}]}]` } },
  'structured messages': { attributes: { 'gen_ai.input.messages': [{ role: 'user', parts: [{ content: MARKER }] }] } },
  'old prompt': { attributes: { 'gen_ai.prompt.0.content': MARKER } },
  completion: { attributes: { 'gen_ai.completion.3.content': MARKER } },
  'tool arguments': { attributes: { 'gen_ai.tool.call.arguments': { city: MARKER } } },
  'tool description': { attributes: { 'gen_ai.tool.description': MARKER } },
  openinference: { attributes: { 'llm.input_messages.0.message.content': MARKER, 'input.value': MARKER } },
  traceloop: { attributes: { 'traceloop.entity.input': MARKER } },
  'vercel ai': { attributes: { 'ai.prompt.messages': MARKER, 'ai.response.text': MARKER } },
  langfuse: { attributes: { 'langfuse.observation.input': MARKER } },
  'underscored name': { attributes: { gen_ai_input_messages: MARKER } },
  'unknown attribute': { attributes: { 'app.note': PROSE } },
  'unknown array': { attributes: { 'app.words': PROSE.split(' ') } },
  'unknown map': { attributes: { 'app.state': { deep: { deeper: { note: PROSE } } } } },
  'content in an unknown map': { attributes: { 'app.request': { model: 'gpt-4o', messages: [{ content: MARKER }] } } },
  'JSON in an unknown attribute': { attributes: { 'app.json': `{"prompt":"${MARKER}"}` } },
  'long attribute': { attributes: { 'app.blob': `${MARKER}${'x'.repeat(2000)}` } },
  'attribute name': { attributes: { [PROSE]: 1 } },
  'known attribute': { attributes: { 'gen_ai.request.model': PROSE } },
  'error message': { attributes: { 'error.message': MARKER } },
  'database text': { attributes: { 'db.query.text': `SELECT '${MARKER}'`, 'db.statement': MARKER } },
  'url query': { attributes: { 'url.full': `https://x.example/search?q=${MARKER}`, 'http.target': `/s?q=${MARKER}` } },
  'url query attribute': { attributes: { 'url.query': MARKER } },
  header: { attributes: { 'http.request.header.authorization': [MARKER] } },
  user: { attributes: { 'enduser.id': MARKER, 'user.email': `${MARKER}@example.com` } },
  'e-mail in a code': { attributes: { 'app.owner_ref': `${MARKER}@example.com` } },
  baggage: { attributes: { 'baggage.note': PROSE, 'baggage.prompt': MARKER } },
  'span name': { name: PROSE },
  'status message': { statusMessage: `ValueError: could not answer: ${PROSE}` },
  'status prose': { statusMessage: PROSE },
  'trace state': { traceState: `ot=th:8,vendor=${MARKER}` },
  'resource attribute': { resource: { 'service.name': 'x', 'service.description': PROSE } },
  'service name': { serviceName: PROSE },
  'scope name': { scopeName: PROSE },
  'event body': { events: event('gen_ai.user.message', { content: MARKER, 'custom.key': MARKER }) },
  'choice event': { events: event('gen_ai.choice', { message: { content: MARKER } }) },
  'exception message': { events: event('exception', { 'exception.type': 'ValueError', 'exception.message': MARKER }) },
  stacktrace: { events: event('exception', { 'exception.stacktrace': `Traceback\nValueError: ${MARKER}` }) },
  'event name': { events: event(PROSE, {}) },
  'event message': { events: event('log', { message: MARKER }) },
  'link attribute': { links: link({ 'gen_ai.prompt': MARKER, note: PROSE }) },
};

/** Places in a log entry. */
const LOGS: Record<string, LogEntry> = {
  'JSON prompt': entry(`{"event":"request","prompt":"${MARKER}"}`),
  'JSON messages': entry(`{"model":"gpt-4o","messages":[{"role":"user","content":"${MARKER}"}],"n":1}`),
  'JSON within a message': entry(JSON.stringify({ message: `sent {"prompt": "${MARKER}"} to the engine` })),
  'JSON in JSON': entry(JSON.stringify({ extra: JSON.stringify({ messages: [{ content: MARKER }] }) })),
  'JSON camel case': entry(`{"systemPrompt":"${MARKER}","toolArguments":{"a":"${MARKER}"}}`),
  'JSON error': entry(`{"error":{"message":"${MARKER}","type":"invalid_request_error"}}`),
  'JSON prose field': entry(`{"event":"x","note":"${PROSE}"}`),
  'JSON user': entry(`{"event":"x","user_id":"${MARKER}","email":"${MARKER}@example.com"}`),
  'JSON escaped key': entry(`{"event":"x","\\u0070rompt":"${MARKER}"}`),
  'broken JSON': entry(`{"event":"x","prompt":"${MARKER} is`),
  logfmt: entry(`level=info event=request prompt="${MARKER} said \\"hi\\"" tokens=5`),
  'logfmt without quotes': entry(`level=info prompt=${MARKER} is not here tokens=5`),
  'vLLM request': entry(
    `INFO Received request cmpl-7: prompt: 'why is my ${MARKER}\\'s tail', params: SamplingParams(n=1), lora_request: None.`,
  ),
  'vLLM token ids': entry(
    `Received request cmpl-7: prompt: "${MARKER}", params: X(), prompt_token_ids: [1, 2], lora_request: None.`,
  ),
  'vLLM output': entry(
    `Generated response chatcmpl-1: output: '${MARKER}', output_token_ids: [5, 6], finish_reason: stop`,
  ),
  SGLang: entry(`Receive: obj=GenerateReqInput(rid='a', text='${MARKER}', input_ids=None, sampling_params={'n': 1})`),
  'SGLang output': entry(
    `Finish: obj=GenerateReqInput(rid='a', text=['${MARKER}']), out={'text': '${MARKER}', 'meta_info': {'id': 'a'}}`,
  ),
  'OpenAI client': entry(
    `DEBUG Request options: {'method': 'post', 'json_data': {'messages': [{'role': 'user', 'content': '${MARKER}'}], 'model': 'gpt-4o'}}`,
  ),
  LiteLLM: entry(
    `POST Request Sent: curl -X POST https://x/ -d '{"model": "m", "messages": [{"role": "user", "content": "${MARKER}"}]}'`,
  ),
  'escaped JSON': entry(`payload sent "{\\"prompt\\": \\"a \\\\\\"quoted\\\\\\" ${MARKER}\\", \\"n\\": 1}"`),
  'bare prompt': entry(`Prompt: ${PROSE}: and more\nover two lines ${MARKER}`),
  'content event': entry(MARKER, { metadata: ['event_name', 'gen_ai.user.message'] }),
  'content event attribute': entry('x', { metadata: ['event_name', 'gen_ai.choice', 'custom_key', MARKER] }),
  'JSON in a stream label': entry('x', { stream: ['app', `{"prompt":"${MARKER}"}`, 'job', 'a'] }),
  metadata: entry('x', { metadata: ['exception_message', MARKER, 'gen_ai_prompt', MARKER, 'note', PROSE] }),
  'stream label': entry('x', { stream: ['job', 'a', 'prompt', MARKER] }),
  'stream value': entry('x', { stream: ['app', PROSE, 'job', 'a'] }),
  'stream label of a user': entry('x', { stream: ['job', 'a', 'user_id', MARKER] }),
  'request ID that is prose': entry('x', { stream: ['job', 'a', 'request_id', PROSE] }),
};

/** Labels of a metric series. */
const SERIES: Record<string, Labels> = {
  prompt: ['__name__', 'app_total', 'prompt', MARKER],
  content: ['__name__', 'app_total', 'gen_ai_input_messages', MARKER],
  user: ['__name__', 'app_total', 'user', MARKER],
  'request ID': ['__name__', 'app_total', 'request_id', MARKER],
  'prose in an allowed label': ['__name__', 'inference_requests_total', 'model_version', PROSE],
  'prose in an infrastructure label': ['__name__', 'node_load1', 'instance', PROSE],
  'JSON in an allowed label': ['__name__', 'inference_requests_total', 'region', `{"prompt":"${MARKER}"}`],
  'unlisted label on the contract': ['__name__', 'inference_requests_total', 'colour', MARKER],
  'bucket bound': ['__name__', 'inference_ttft_seconds_bucket', 'le', MARKER],
  'closed set': ['__name__', 'inference_requests_total', 'outcome', MARKER],
  'label name': ['__name__', 'app_total', PROSE, '1'],
  'metric name': ['__name__', PROSE],
  'fleet name': ['__name__', `fleet:${MARKER}`],
  error: ['__name__', 'app_total', 'error_message', MARKER],
};

describe('the canary', () => {
  it('hides in at least 40 places', () => {
    expect(Object.keys(SPANS).length + Object.keys(LOGS).length + Object.keys(SERIES).length).toBeGreaterThanOrEqual(
      40,
    );
  });

  it.each(Object.entries(SPANS))('is not in a span after hiding in: %s', (_place, parts) => {
    const governor = createGovernor();
    const before = { ...SPAN, ...parts };
    expect(show(before)).toContain('zanzibar');
    expect(show(governor.governSpan(before, 'otlp'))).not.toContain('zanzibar');
    expect(governor.decisions().length).toBeGreaterThan(0);
    expect(show(governor.decisions())).not.toContain('zanzibar');
  });

  it.each(Object.entries(LOGS))('is not in a log entry after hiding in: %s', (_place, before) => {
    const governor = createGovernor();
    expect(show(governor.governLog(before, 'loki_push')) ?? '').not.toContain('zanzibar');
    expect(governor.decisions().length).toBeGreaterThan(0);
    expect(show(governor.decisions())).not.toContain('zanzibar');
  });

  it.each(Object.entries(SERIES))('is not in a verdict after hiding in: %s', (_place, labels) => {
    const governor = createGovernor();
    expect(show(governor.judgeSeries(labels, 'counter', 'remote_write'))).not.toContain('zanzibar');
    expect(governor.decisions().length).toBeGreaterThan(0);
    expect(show(governor.decisions())).not.toContain('zanzibar');
  });

  it('is not in exemplars and metadata', () => {
    const governor = createGovernor();
    const exemplar = governor.governExemplar(
      ['note', MARKER, 'prompt', MARKER, 'trace_id', PROSE, 'user_id', MARKER],
      'otlp',
    );
    expect(exemplar).toEqual([]);
    for (const [metric, help, unit] of [
      ['app_total', PROSE, ''],
      ['app_total', `prompt="${MARKER}"`, ''],
      ['inference_requests_total', MARKER, '1'],
      ['app_total', 'Requests.', PROSE],
      [PROSE, 'Requests.', ''],
    ])
      expect(show(governor.governMetadata({ metric, type: 'counter', help, unit }, 'otlp'))).not.toContain('zanzibar');
    expect(show(governor.decisions())).not.toContain('zanzibar');
  });

  it.each([
    'Size of the write log directory.',
    'Write log segment index that TSDB is currently writing to.',
    'Approximate count of goroutines waiting on a resource (I/O or sync primitives).',
    'Write latency of the disk, in seconds.',
  ])('is not seen in a description: %s', (help) => {
    const metadata = { metric: 'app_total', type: 'counter', help, unit: '' } as const;
    expect(createGovernor().governMetadata(metadata, 'otlp').help).toBe(help);
  });

  it.each(['Write a poem about the sea.', 'write python code that sorts a list', 'Explain how I can do it.'])(
    'is seen in one: %s',
    (help) => {
      const metadata = { metric: 'app_total', type: 'counter', help, unit: '' } as const;
      expect(createGovernor().governMetadata(metadata, 'otlp').help).toBe('');
    },
  );
});

/** A string as Python prints it. */
function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

describe('a marker in random content', () => {
  const piece = fc.constantFrom(
    ' ',
    '\n',
    '"',
    "'",
    '\\',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ',',
    ':',
    '=',
    'a',
    'the',
    "don't",
    'x=1',
    'n: 2',
    '"k": 1',
    'é',
    '请',
  );
  const content = fc
    .tuple(fc.array(piece, { maxLength: 12 }), fc.array(piece, { maxLength: 12 }))
    .map(([before, after]) => `${before.join('')} ${MARKER} ${after.join('')}`);
  const field = fc.constantFrom(
    'prompt',
    'messages',
    'systemPrompt',
    'tool_arguments',
    'text',
    'query',
    'llm.prompts.0.content',
    'output',
  );

  const forms: Record<string, (name: string, text: string) => string> = {
    JSON: (name, text) => JSON.stringify({ event: 'x', [name]: text, n: 1 }),
    'nested JSON': (name, text) =>
      JSON.stringify({ event: 'x', request: { body_size: 1, [name]: [{ content: text }] } }),
    'JSON after text': (name, text) => `INFO sent ${JSON.stringify({ [name]: text, n: 1 })} in 5 ms`,
    'JSON in JSON': (name, text) => JSON.stringify({ message: `sent ${JSON.stringify({ [name]: text })}` }),
    'escaped JSON after text': (name, text) =>
      `INFO body ${JSON.stringify(JSON.stringify({ [name]: text, n: 1 }))} end`,
    logfmt: (name, text) => `level=info ${name}=${JSON.stringify(text)} n=1`,
    'Python dictionary': (name, text) => `DEBUG options: {'method': 'post', ${repr(name)}: ${repr(text)}, 'n': 1}`,
    'Python call': (name, text) => `DEBUG obj=Request(rid='a', ${name.replaceAll('.', '_')}=[${repr(text)}], n=1)`,
  };

  it.each(Object.entries(forms))('is cut out of %s', (_form, write) => {
    const governor = createGovernor();
    fc.assert(
      fc.property(field, content, (name, text) => {
        const line = write(name, text);
        expect(line).toContain(MARKER);
        expect(governor.governLog(entry(line), 'otlp')?.line).not.toContain(MARKER);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what stays', () => {
  it('gives back the same span where nothing is refused', () => {
    const span: Span = {
      ...SPAN,
      traceState: 'ot=th:8',
      statusMessage: 'DEADLINE_EXCEEDED',
      resource: {
        'service.name': 'llm-gateway',
        'os.description': 'Ubuntu 24.04.1 LTS (Noble Numbat), the one we use',
        'host.cpu.model.name': 'Intel(R) Xeon(R) Platinum 8480C',
        'k8s.pod.name': 'gateway-7d9f8b6c5d-x2x4z',
        'process.command_args': ['python', '-m', 'vllm.entrypoints.openai.api_server', '--model', 'Qwen/Qwen3-0.6B'],
      },
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.response.id': 'chatcmpl-9xYzAbCdEfGhIjKlMnOpQrStUvWxY',
        'gen_ai.conversation.id': '550e8400-e29b-41d4-a716-446655440000',
        'gen_ai.prompt.name': 'support/answer',
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.usage.input_tokens': 12,
        'http.request.body.size': 512,
        'http.route': '/v1/chat/completions',
        'url.full': 'https://api.example.com/v1/chat/completions',
        'server.address': '10.0.0.7',
        request_id: 'req-8f3a91c2',
        'session.id': 'abc',
      },
      events: event('first_token', { 'exception.type': 'ValueError' }),
    };
    const governor = createGovernor();
    expect(governor.governSpan(span, 'otlp')).toBe(span);
    expect(governor.decisions()).toEqual([]);
  });

  it('brings old attribute names up to date and keeps codes of errors', () => {
    const governor = createGovernor();
    const cleaned = governor.governSpan(
      {
        ...SPAN,
        statusMessage: `openai.RateLimitError: Error code: 429 - ${PROSE}`,
        attributes: { 'gen_ai.system': 'openai', 'llm.token_count.prompt': 7, 'llm.token_count.completion': 9 },
      },
      'otlp',
    );
    expect(cleaned.statusMessage).toBe('openai.RateLimitError');
    expect(cleaned.attributes).toEqual({
      'gen_ai.provider.name': 'openai',
      'gen_ai.usage.input_tokens': 7,
      'gen_ai.usage.output_tokens': 9,
    });
  });

  it('cuts only what is content out of lines', () => {
    const governor = createGovernor();
    const line = (text: string) => governor.governLog(entry(text), 'loki_push')?.line;
    expect(line('level=info prompt="a b" tokens=5')).toBe('level=info prompt="[removed]" tokens=5');
    expect(line("Received request c-1: prompt: 'it''s', params: P(n=1), prompt_token_ids: [1, 2], lora: None.")).toBe(
      "Received request c-1: prompt: '[removed]''[removed]', params: P(n=1), prompt_token_ids: [removed], lora: None.".replace(
        "''[removed]'",
        "''s'",
      ),
    );
    expect(
      line('{"event":"done","prompt":"x","prompt_class":"chat","response_tokens":12,"ns":1732440345123456789}'),
    ).toBe('{"event":"done","prompt_class":"chat","response_tokens":12,"ns":1732440345123456789}');
    expect(line('{"event":"x","input":5,"output":null,"text":""}')).toBe(
      '{"event":"x","input":5,"output":null,"text":""}',
    );
  });

  it('cuts lines over 256 KiB and counts them', () => {
    const governor = createGovernor();
    const cut = governor.governLog(entry('é'.repeat(200_000)), 'otlp')?.line ?? '';
    expect(Buffer.byteLength(cut)).toBe(256 * 1024);
    expect(governor.decisions()).toContainEqual(
      expect.objectContaining({ rule: 'line_too_long', action: 'truncated', count: 1 }),
    );
  });

  it('moves request-scoped stream labels into metadata', () => {
    const governor = createGovernor();
    const stream = ['app', 'gateway', 'level', 'info', 'pod', 'a-1', 'request_id', 'r-1', 'trace_id', SPAN.traceId];
    expect(governor.governLog(entry('x', { stream, metadata: ['span_id', SPAN.spanId] }), 'loki_push')).toEqual({
      stream: ['app', 'gateway', 'level', 'info', 'replica', 'a-1'],
      timestampNs: 5n,
      line: 'x',
      metadata: ['request_id', 'r-1', 'span_id', SPAN.spanId, 'trace_id', SPAN.traceId],
    });
    expect(governor.governLog(entry('x', { stream: ['user_id', 'u1'] }), 'loki_push')?.stream).toEqual([
      'deployment',
      'unknown',
    ]);
  });

  it('leaves every line of the log classes, tracebacks and engine lines as they are', () => {
    const governor = createGovernor();
    const rules = parse(readFileSync('conventions/logs.yaml', 'utf8')).rules as { example: string }[];
    expect(rules.length).toBeGreaterThanOrEqual(42);
    const lines = [...rules.map(({ example }) => example), ...ENGINE_LINES];
    const changed = lines.filter((line) => governor.governLog(entry(line), 'loki_push')?.line !== line);
    expect(changed).toEqual([]);
  });
});

const ENGINE_LINES = [
  'INFO 11-24 08:16:02 [loggers.py:123] Engine 000: Avg prompt throughput: 512.3 tokens/s, Avg generation throughput: 1024.9 tokens/s, Running: 12 reqs, Waiting: 0 reqs, GPU KV cache usage: 41.2%, Prefix cache hit rate: 63.0%',
  "INFO 11-24 08:16:02 [api_server.py:1043] args: Namespace(subparser='serve', model_tag='Qwen/Qwen3-0.6B', host=None, port=8000, max_num_seqs=256, chat_template=None)",
  'INFO 11-24 08:16:02 [core.py:71] Initializing a V1 LLM engine (v0.10.2) with config: model=\'Qwen/Qwen3-0.6B\', speculative_config=None, tokenizer=\'Qwen/Qwen3-0.6B\', skip_tokenizer_init=False, dtype=torch.bfloat16, max_seq_len=40960, compilation_config={"level":3,"splitting_ops":["vllm.unified_attention"],"use_inductor":true}',
  'INFO:     127.0.0.1:51234 - "POST /v1/chat/completions HTTP/1.1" 200 OK',
  '[2026-11-24 08:16:02 TP0] Decode batch, #running-req: 12, #token: 81920, token usage: 0.97, cuda graph: True, gen throughput (token/s): 812.33, #queue-req: 3',
  'slot update_slots: id  0 | task 12 | new prompt, n_ctx_slot = 4096, n_keep = 0, n_prompt_tokens = 812',
  'slot print_timing: id  0 | task 12 | prompt eval time =     120.11 ms /   812 tokens (    0.15 ms per token,  6760.47 tokens per second)',
  '2026-11-24T08:16:02.123456Z  INFO compat_generate{default_return_full_text=true}: text_generation_router::server: Success total_time="1.2s" validation_time="1ms" queue_time="2ms" inference_time="1.1s" time_per_token="20ms" seed="None"',
  '[GIN] 2026/11/24 - 08:16:02 | 200 |  1.234567s |       127.0.0.1 | POST     "/api/chat"',
  'NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus.',
  'nccl: [0] NCCL INFO Channel 00/24 : 0 1 2 3 4 5 6 7',
  'I1124 08:16:02.123456    1234 kubelet.go:2412] "SyncLoop (PLEG): event for pod" pod="inference/vllm-0" event={"ID":"c2f1","Type":"ContainerStarted"}',
  'Traceback (most recent call last):\n  File "/usr/lib/python3.12/site-packages/vllm/engine.py", line 12, in generate\n    outputs = self.model.generate(prompt="a constant", messages=messages)\n  File "/app/x.py", line 3, in f\n    raise ValueError("The prompt is too long: " + str(n))\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.02 GiB is free.',
  "ValueError: This model's maximum context length is 8192 tokens. However, you requested 9000 tokens in the messages, please reduce the length of the messages.",
];

describe('captured data', () => {
  const folder = '../shared/facts';
  it.skipIf(!existsSync(folder))('keeps the log lines of the vocabulary as they are', () => {
    const text = readFileSync(`${folder}/vocabulary.md`, 'utf8');
    const examples = [...text.matchAll(/"example": ("(?:[^"\\]|\\.)*")/g)].map(
      ([, json]) => JSON.parse(json) as string,
    );
    const governor = createGovernor();
    const changed = examples.filter((line) => governor.governLog(entry(line), 'loki_push')?.line !== line);
    expect(changed).toEqual([]);
    expect(labelsToRecord([])).toEqual({});
  });
});
