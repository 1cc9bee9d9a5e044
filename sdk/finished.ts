import { type Attributes, SpanStatusCode } from '@opentelemetry/api';
import { isResponseId } from './codes.ts';
import type { Outcome, TokenType } from './generated/conventions.ts';
import type { Inference } from './inference.ts';
import type { InferenceEnd, InferenceRequest } from './inference-types.ts';
import { type HistogramName, type InstrumentSource, tokenAttributes } from './instruments.ts';
import type { LabelSet, RequestSeries } from './label-sets.ts';
import type { LabelJudge } from './labels.ts';
import { figuresOf, outputTokensOf, type StreamFigures } from './measure.ts';
import { outcomeOf } from './outcome.ts';
import { tokenBucketOf } from './token-bucket.ts';

/** The place where the SDK measures, for the label stage of the time to the first token. */
export type MeasuredStage = 'client' | 'gateway' | 'engine';

/** A request that has ended, as it is told: every value judged, nothing of its content. */
export interface FinishedRequest {
  readonly inference: Inference;
  readonly end: InferenceEnd;
  readonly labels: LabelSet;
  readonly outcome: Outcome;
  readonly errorType: string | undefined;
  readonly promptClass: string | undefined;
  readonly tokenBucket: string | undefined;
  readonly figures: StreamFigures;
}

/** Brings a request's end onto the contract. */
export function finish(
  inference: Inference,
  end: InferenceEnd,
  labels: LabelSet,
  promptClass: string | undefined,
  judge: LabelJudge,
): FinishedRequest {
  const outcome = outcomeOf(end);
  const failed = outcome !== 'ok' && outcome !== 'truncated' && outcome !== 'refused';
  const errorType =
    failed || end.errorType
      ? judge.isCode(end.errorType)
        ? end.errorType
        : defaultErrorType(outcome, end)
      : undefined;
  return {
    inference,
    end,
    labels,
    outcome,
    errorType,
    promptClass,
    tokenBucket: tokenBucketOf(inference.usage?.inputTokens),
    figures: figuresOf(inference),
  };
}

/** What went wrong where nothing named it; an error that has a status is called by it. */
function defaultErrorType(outcome: Outcome, end: InferenceEnd): string {
  if (outcome === 'empty') return 'empty_response';
  if (outcome !== 'error') return outcome;
  if (end.httpStatus !== undefined && end.httpStatus >= 400) return String(end.httpStatus);
  if (end.hasErrorBody) return 'error_body';
  return end.streamEnded === false ? 'stream_broken' : 'error';
}

/** Records the contract's metrics of a request that has ended. */
export function recordMetrics(finished: FinishedRequest, instruments: InstrumentSource, stage: MeasuredStage): void {
  const { inference, labels, outcome, figures, promptClass, tokenBucket } = finished;
  const { context } = inference;
  labels.addRequest(outcome);
  const series = labels.series(`${outcome} ${tokenBucket} ${promptClass} ${stage}`, () =>
    bindSeries(finished, instruments, stage),
  );
  series.total.record((inference.endMs - inference.startMs) / 1000, context);
  // Where reasoning comes first both are told: when the model began, and when the user saw something.
  if (figures.firstTokenSeconds !== undefined && inference.firstKind === 'reasoning')
    series.ttftReasoning.record(figures.firstTokenSeconds, context);
  if (figures.firstVisibleSeconds !== undefined) series.ttftVisible.record(figures.firstVisibleSeconds, context);
  if (figures.secondsPerToken !== undefined) series.perToken.record(figures.secondsPerToken, context);
  if (figures.tokensPerSecond !== undefined) series.tokensPerSecond.record(figures.tokensPerSecond, context);
  if (figures.gapsAreTokens) labels.addGaps(inference.gaps!);
  recordTokens(finished, instruments);
}

/** Finds the histograms of requests that are alike in all that these labels say. */
function bindSeries(
  { labels, outcome, promptClass, tokenBucket }: FinishedRequest,
  instruments: InstrumentSource,
  stage: MeasuredStage,
): RequestSeries {
  const bind = (name: HistogramName, extra: Attributes) =>
    labels.bound(`${name} ${JSON.stringify(extra)}`, () => instruments.bind(name, { ...labels.attributes, ...extra }));
  const bucket: Attributes = tokenBucket === undefined ? {} : { token_bucket: tokenBucket };
  const prompt: Attributes = promptClass === undefined ? {} : { prompt_class: promptClass };
  // How long a request took that gave no answer has nothing to do with its prompt's size.
  const isAnswer = outcome === 'ok' || outcome === 'truncated';
  return {
    total: bind('inference_total_latency_seconds', { outcome, ...(isAnswer ? bucket : {}) }),
    ttftReasoning: bind('inference_ttft_seconds', { ...prompt, ...bucket, stage, first: 'reasoning' }),
    ttftVisible: bind('inference_ttft_seconds', { ...prompt, ...bucket, stage, first: 'visible' }),
    perToken: bind('inference_time_per_output_token_seconds', bucket),
    tokensPerSecond: bind('inference_tokens_per_second', bucket),
  };
}

function recordTokens({ inference, labels }: FinishedRequest, instruments: InstrumentSource): void {
  const { usage } = inference;
  const output = outputTokensOf(inference);
  recordCount(labels, instruments, inference, 'input', usage?.inputTokens, false);
  recordCount(labels, instruments, inference, 'output', output?.tokens, output?.estimated === true);
  // A part that is none would double the number of series and say nothing.
  recordCount(labels, instruments, inference, 'cached', usage?.cachedTokens || undefined, false);
  recordCount(labels, instruments, inference, 'reasoning', usage?.reasoningTokens || undefined, false);
}

function recordCount(
  labels: LabelSet,
  instruments: InstrumentSource,
  inference: Inference,
  type: TokenType,
  tokens: number | undefined,
  estimated: boolean,
): void {
  if (tokens === undefined) return;
  labels.addTokens(type, tokens, estimated);
  const key = estimated ? ESTIMATED_KEYS[type] : TOKEN_KEYS[type];
  labels
    .bound(key, () => instruments.bind('inference_token_count', tokenAttributes(labels, type, estimated)))
    .record(tokens, inference.context);
}

const TOKEN_KEYS = {
  input: 'tokens input',
  output: 'tokens output',
  cached: 'tokens cached',
  reasoning: 'tokens reasoning',
};
const ESTIMATED_KEYS = { input: 'est input', output: 'est output', cached: 'est cached', reasoning: 'est reasoning' };

/** The attributes that a span has from its start, which samplers see. */
export function startAttributes(request: InferenceRequest, labels: LabelSet, judge: LabelJudge): Attributes {
  const codeOf = (value: unknown): string | undefined => (judge.isCode(value) ? value : undefined);
  const operation = OPERATIONS.includes(request.operation) ? request.operation : 'chat';
  const attributes: Attributes = { ...labels.attributes, 'gen_ai.operation.name': operation };
  const put = (name: string, value: Attributes[string]): void => {
    if (value !== undefined) attributes[name] = value;
  };
  put('gen_ai.provider.name', codeOf(request.provider));
  put('gen_ai.request.model', judge.judge('model_version', request.model));
  put('gen_ai.request.stream', typeof request.streamed === 'boolean' ? request.streamed : undefined);
  put('gen_ai.request.max_tokens', numberOf(request.maxTokens));
  put('gen_ai.request.choice.count', numberOf(request.choices));
  put('gen_ai.request.temperature', numberOf(request.temperature));
  put('gen_ai.request.top_p', numberOf(request.topP));
  put('gen_ai.output.type', codeOf(request.outputType));
  put('server.address', codeOf(request.serverAddress));
  put('server.port', numberOf(request.serverPort));
  return attributes;
}

const OPERATIONS: readonly unknown[] = ['chat', 'text_completion', 'generate_content', 'embeddings'];

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Writes a request's end on its span, and ends it. @param endTime Left out where the span's own clock is right. */
export function endSpan(finished: FinishedRequest, judge: LabelJudge, endTime: number | undefined): void {
  const { inference, end, labels, outcome, errorType, figures } = finished;
  const { span, usage } = inference;
  if (span.isRecording()) {
    // The span has its labels from the start, unless the answer named another model.
    const attributes: Attributes = labels === inference.labels ? { outcome } : { ...labels.attributes, outcome };
    const put = (name: string, value: Attributes[string]): void => {
      if (value !== undefined) attributes[name] = value;
    };
    put('prompt_class', finished.promptClass);
    put('token_bucket', finished.tokenBucket);
    put('error.type', errorType);
    put('gen_ai.response.model', judge.judge('model_version', end.responseModel));
    if (isResponseId(end.responseId)) put('gen_ai.response.id', end.responseId);
    const reasons = (end.finishReasons ?? []).filter((reason) => judge.isCode(reason)) as string[];
    if (reasons.length > 0 || outcome === 'error')
      put('gen_ai.response.finish_reasons', reasons.length > 0 ? reasons : ['error']);
    put('gen_ai.response.time_to_first_chunk', figures.firstTokenSeconds);
    if (inference.firstKind === 'reasoning') put('time_to_first_visible', figures.firstVisibleSeconds);
    put('gen_ai.usage.input_tokens', usage?.inputTokens);
    put('gen_ai.usage.output_tokens', usage?.outputTokens);
    put('gen_ai.usage.cache_read.input_tokens', usage?.cachedTokens);
    put('gen_ai.usage.cache_write.input_tokens', usage?.cacheWriteTokens);
    put('gen_ai.usage.reasoning.output_tokens', usage?.reasoningTokens);
    if (inference.attempts > 1) put('attempts', inference.attempts);
    span.setAttributes(attributes);
    if (outcome === 'error' || outcome === 'timeout' || outcome === 'empty')
      span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(endTime);
}

/** The fields of the event that tells of a request's end. */
export function finishedFields(finished: FinishedRequest): Record<string, string | number> {
  const { inference, outcome, figures } = finished;
  const fields: Record<string, string | number> = { outcome };
  const put = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) fields[name] = value;
  };
  put('prompt_class', finished.promptClass);
  put('token_bucket', finished.tokenBucket);
  put('prompt_tokens', inference.usage?.inputTokens);
  put('cached_tokens', inference.usage?.cachedTokens);
  put('response_tokens', outputTokensOf(inference)?.tokens);
  fields.total_ms = Math.round(inference.endMs - inference.startMs);
  put('ttft_ms', milliseconds(figures.firstTokenSeconds));
  if (inference.firstKind === 'reasoning') put('first_visible_ms', milliseconds(figures.firstVisibleSeconds));
  if (inference.attempts > 1) fields.attempts = inference.attempts;
  put('error_type', finished.errorType);
  return fields;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}
