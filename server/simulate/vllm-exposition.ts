import { FINISH_REASONS } from './engine-metrics.ts';
import { Exposition } from './exposition.ts';
import type { Replica } from './fleet.ts';

/** What a Prometheus that scrapes an engine's pod adds to each series. */
export function engineTargetLabels(replica: Replica): Record<string, string> {
  return {
    job: 'vllm',
    instance: `${replica.name}:8000`,
    namespace: 'inference',
    pod: replica.name,
    deployment: replica.deployment.name,
    region: replica.deployment.region,
    gpu_type: replica.deployment.spec.gpuType.name,
  };
}

/** The metrics of a vLLM process (V1, release 0.30) that most look at, under the model's name that it serves now. */
export function exposeVllm(replica: Replica): Exposition {
  const { engine } = replica;
  const out = new Exposition({ ...engineTargetLabels(replica), model_name: replica.model.version, engine: '0' });
  out.gauge('vllm:num_requests_running', 'Number of requests in model execution batches.', () => engine.running.length);
  out.gauge('vllm:num_requests_waiting', 'Number of requests waiting to be processed.', () => engine.waiting.length);
  for (const reason of ['capacity', 'deferred']) {
    const read = reason === 'capacity' ? () => engine.waiting.length : () => 0;
    out.gauge('vllm:num_requests_waiting_by_reason', 'Number of requests waiting, by reason.', read, { reason });
  }
  out.gauge('vllm:kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', () => engine.cache.usage);
  out.counter(
    'vllm:prefix_cache_queries_total',
    'Prefix cache queries, in terms of number of queried tokens.',
    () => engine.metrics.prefixQueries,
  );
  out.counter(
    'vllm:prefix_cache_hits_total',
    'Prefix cache hits, in terms of number of cached tokens.',
    () => engine.metrics.prefixHits,
  );
  out.counter(
    'vllm:num_preemptions_total',
    'Cumulative number of preemption from the engine.',
    () => engine.metrics.preemptions,
  );
  out.counter('vllm:prompt_tokens_total', 'Number of prefill tokens processed.', () => engine.metrics.promptTokens);
  out.counter(
    'vllm:prompt_tokens_cached_total',
    'Number of prompt tokens that came from a cache.',
    () => engine.metrics.cachedTokens,
  );
  out.counter(
    'vllm:generation_tokens_total',
    'Number of generation tokens processed.',
    () => engine.metrics.generationTokens,
  );
  for (const reason of FINISH_REASONS) {
    out.counter(
      'vllm:request_success_total',
      'Count of successfully processed requests.',
      () => engine.metrics.finished[reason],
      { finished_reason: reason },
    );
  }
  exposeHistograms(out, replica);
  out.gauge('vllm:cache_config_info', 'Information of the LLMEngine CacheConfig', () => 1, {
    block_size: '16',
    cache_dtype: 'auto',
    enable_prefix_caching: 'True',
    gpu_memory_utilization: String(replica.deployment.spec.memoryUtilization),
    num_gpu_blocks: String(engine.config.kvBlocks),
  });
  return out;
}

function exposeHistograms(out: Exposition, { engine }: Replica): void {
  out.histogram(
    'vllm:time_to_first_token_seconds',
    'Histogram of time to first token in seconds.',
    () => engine.metrics.timeToFirstToken,
  );
  out.histogram(
    'vllm:inter_token_latency_seconds',
    'Histogram of inter-token latency in seconds.',
    () => engine.metrics.interTokenLatency,
  );
  out.histogram(
    'vllm:request_time_per_output_token_seconds',
    'Histogram of time_per_output_token_seconds per request.',
    () => engine.metrics.timePerOutputToken,
  );
  out.histogram(
    'vllm:e2e_request_latency_seconds',
    'Histogram of e2e request latency in seconds.',
    () => engine.metrics.endToEnd,
  );
  out.histogram(
    'vllm:request_queue_time_seconds',
    'Histogram of time spent in WAITING phase for request.',
    () => engine.metrics.queueTime,
  );
  out.histogram(
    'vllm:request_prefill_time_seconds',
    'Histogram of time spent in PREFILL phase for request.',
    () => engine.metrics.prefillTime,
  );
  out.histogram(
    'vllm:request_decode_time_seconds',
    'Histogram of time spent in DECODE phase for request.',
    () => engine.metrics.decodeTime,
  );
  out.histogram(
    'vllm:request_prompt_tokens',
    'Number of prefill tokens processed.',
    () => engine.metrics.promptTokensOfRequest,
  );
  out.histogram(
    'vllm:request_generation_tokens',
    'Number of generation tokens processed.',
    () => engine.metrics.generationTokensOfRequest,
  );
  out.histogram(
    'vllm:iteration_tokens_total',
    'Histogram of number of tokens per engine_step.',
    () => engine.metrics.iterationTokens,
  );
}
