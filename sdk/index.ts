// The AI telemetry contract for whoever writes an LLM service: its constants and pure functions, and what observes a
// program by them: requests to models, spans of the semantic path, events, signals of quality, providers' clients.
// In: facts about requests (times, token counts, codes), and providers' clients, whose streams are looked at in passing.
// Out: the contract's metrics, spans and events, to whatever OpenTelemetry SDK the program has.
// Never: keeps or sends a piece of a prompt or an answer, throws into the program, or needs more than @opentelemetry/api.
export * from './default.ts';
export type { EventFields, EventLevel } from './events.ts';
export type { MeasuredStage } from './finished.ts';
export * from './generated/conventions.ts';
export type { Inference } from './inference.ts';
export type { InferenceEnd, InferenceRequest, TokenKind } from './inference-types.ts';
export { Instrumentation, type InstrumentationOptions, type Signals, type StepSpan } from './instrumentation.ts';
export type { CommonLabel, Labels } from './labels.ts';
export type { LogRecord, LogSink, LogSinkProvider } from './log-sink.ts';
export type { ContractMetricProducer, ProducedMetric, ProducedMetrics } from './metric-producer.ts';
export { outcomeOf, type RequestEnd } from './outcome.ts';
export { type PromptBuild, SemanticPath, type VectorSearch } from './path.ts';
export { type AnthropicClient, endMessage, MessageStreamReader, observeAnthropic } from './providers/anthropic.ts';
export type { ObserveOptions } from './providers/client.ts';
export { type LangChainHandler, langChainHandler } from './providers/langchain.ts';
// What reads providers' answers, for programs that see them as bytes and not through a client, such as a proxy.
export type { StreamReader } from './providers/observe-stream.ts';
export { observeOpenAI } from './providers/openai.ts';
export { ChatStreamReader, endChat, errorCodeOf } from './providers/openai-chat.ts';
export { endResponse, ResponseStreamReader } from './providers/openai-responses.ts';
export type { OpenAIClient } from './providers/openai-types.ts';
export { type AiMiddleware, aiMiddleware } from './providers/vercel-ai.ts';
export type { DropReason, RefusalRule, Tally } from './tally.ts';
export { tokenBucketOf } from './token-bucket.ts';

export { type LooseUsage, type Usage, usageOf } from './usage.ts';
