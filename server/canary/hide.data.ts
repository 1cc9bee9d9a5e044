/** Attributes that hold content by their name, of OpenTelemetry's conventions and of the instrumentations before them. */
export const CONTENT_NAMES: readonly string[] = [
  'gen_ai.prompt',
  'gen_ai.completion',
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.prompt.0.content',
  'gen_ai.completion.0.content',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
  'gen_ai.tool.description',
  'gen_ai.evaluation.explanation',
  'llm.prompts.0.content',
  'llm.input_messages.0.message.content',
  'input.value',
  'output.value',
  'traceloop.entity.input',
  'traceloop.entity.output',
  'ai.prompt.messages',
  'ai.response.text',
  'langfuse.observation.input',
  'exception.message',
  'exception.stacktrace',
  'baggage.prompt',
  'db.query.text',
  'db.statement',
  'http.request.header.authorization',
];

/** Names that say nothing, under which careless programs put anything. */
export const PLAIN_NAMES: readonly string[] = [
  'app.note',
  'app.payload',
  'app.state',
  'baggage.note',
  'comment_1',
  'custom.info',
  'custom.value',
  'debug.dump',
  'extra',
  'misc.data',
];

/** Lines that model servers, gateways and clusters write, and which must pass. */
export const HARMLESS_LINES: readonly string[] = [
  'INFO 08-05 12:00:00 [loggers.py:116] Engine 000: Avg prompt throughput: 512.3 tokens/s, Avg generation throughput: 98.1 tokens/s, Running: 4 reqs, Waiting: 0 reqs, GPU KV cache usage: 12.3%, Prefix cache hit rate: 41.0%',
  '[2025-08-05 12:00:00] Decode batch. #running-req: 12, #token: 40213, token usage: 0.42, cuda graph: True, gen throughput (token/s): 812.11, #queue-req: 0',
  'WARNING 08-05 12:00:01 [scheduler.py:1057] Sequence group 7 is preempted by PreemptionMode.RECOMPUTE mode because there is not enough KV cache space.',
  'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.',
  'NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.',
  '{"event":"request","outcome":"ok","response_tokens":128,"prompt_class":"chat"}',
  'level=info ts=2025-08-05T12:00:00Z caller=main.go:12 msg="server started" port=8000',
  'I0805 12:00:00.000000 1 kubelet.go:2406] "SyncLoop ADD" source="api" pods=["default/vllm-0"]',
];
