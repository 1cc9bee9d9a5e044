import type { GpuType, ModelSize } from './hardware.ts';

/** What an iteration of an engine costs on its GPUs at full clocks, all of them together. */
export interface IterationCost {
  /** Milliseconds of every iteration that don't depend on the batch: launches, scheduling, all-reduce latency. */
  readonly overheadMs: number;
  /** Milliseconds to read all weights once; every iteration does. */
  readonly weightsMs: number;
  /** Milliseconds of matrix multiplication for each prompt token. */
  readonly prefillTokenMs: number;
  /** Milliseconds of attention for each prompt token and token before it: the quadratic part of a prompt. */
  readonly prefillPairMs: number;
  /** Milliseconds for each sequence that decodes a token: sampling, detokenizing, its share of multiplication. */
  readonly decodeSequenceMs: number;
  /** Milliseconds to read the keys and values of one token. */
  readonly keyValueTokenMs: number;
  /** Operations for each token that goes through the model, without attention. */
  readonly flopsPerToken: number;
  /** Operations for each pair of a token and a token before it. */
  readonly flopsPerPair: number;
  readonly weightsBytes: number;
  readonly keyValueBytesPerToken: number;
  /** Operations a second that the GPUs could do together at full clocks. */
  readonly peakFlops: number;
  /** Bytes a second that they could read together. */
  readonly peakBytesPerSecond: number;
}

// How much of the data sheet a good engine reaches: half of the tensor cores' throughput in prefill, a third in
// attention, three quarters of the memory's bandwidth (the range that vendors' and vLLM's own benchmarks show).
const PREFILL_EFFICIENCY = 0.45;
const ATTENTION_EFFICIENCY = 0.3;
const MEMORY_EFFICIENCY = 0.75;
/** Of one GPU; an all-reduce adds to it for each further one. */
const OVERHEAD_MS = 2.2;
const OVERHEAD_PER_PEER_MS = 0.7;
const SAMPLING_MS = 0.03;

/**
 * What a model costs on some GPUs with tensor parallelism. A forward pass takes 2 operations for each parameter and
 * token, attention 4 · layers · hidden size for each pair of tokens; a decode step must read all weights and the
 * batch's keys and values (P. Patel et al., "Splitwise", ISCA 2024, section 3, finds the same shape in measurements).
 * @param slowdown How many times slower than that an iteration is, > 0; a poor build of a model has more than 1.
 */
export function iterationCost(gpu: GpuType, model: ModelSize, gpuCount: number, slowdown = 1): IterationCost {
  const peakFlops = gpu.flopsByWeightBytes[model.weightBytes] * gpuCount;
  const peakBytesPerSecond = gpu.memoryBytesPerSecond * gpuCount;
  const weightsBytes = model.parameters * model.weightBytes;
  const flopsPerToken = 2 * model.parameters;
  const flopsPerPair = 4 * model.layers * model.hiddenSize;
  // Keys and values are kept in 2 bytes whatever the weights are.
  const keyValueBytesPerToken = 2 * model.layers * model.keyValueHeads * model.headSize * 2;
  const msPerByte = (1000 * slowdown) / (peakBytesPerSecond * MEMORY_EFFICIENCY);
  return {
    overheadMs: (OVERHEAD_MS + OVERHEAD_PER_PEER_MS * (gpuCount - 1)) * slowdown,
    weightsMs: weightsBytes * msPerByte,
    prefillTokenMs: (1000 * slowdown * flopsPerToken) / (peakFlops * PREFILL_EFFICIENCY),
    prefillPairMs: (1000 * slowdown * flopsPerPair) / (gpu.flopsByWeightBytes[2] * gpuCount * ATTENTION_EFFICIENCY),
    decodeSequenceMs: SAMPLING_MS * slowdown,
    keyValueTokenMs: keyValueBytesPerToken * msPerByte,
    flopsPerToken,
    flopsPerPair,
    weightsBytes,
    keyValueBytesPerToken,
    peakFlops,
    peakBytesPerSecond,
  };
}

/**
 * Milliseconds of one iteration.
 * @param prefillTokens Prompt tokens computed in it.
 * @param prefillPairs Sum over those of the tokens before each.
 * @param decodeSequences Sequences that get their next token.
 * @param keyValueTokens Tokens whose keys and values the decoding sequences read.
 * @param clock Share of full SM clocks, above 0 to 1. Multiplications follow it; so does, by a half, the bandwidth that
 *   slow SMs are able to ask for.
 */
export function iterationMs(
  cost: IterationCost,
  prefillTokens: number,
  prefillPairs: number,
  decodeSequences: number,
  keyValueTokens: number,
  clock: number,
): number {
  const compute = prefillTokens * cost.prefillTokenMs + prefillPairs * cost.prefillPairMs;
  const memory = cost.weightsMs + keyValueTokens * cost.keyValueTokenMs;
  const fixed = cost.overheadMs + decodeSequences * cost.decodeSequenceMs;
  return fixed + compute / clock + memory / (0.5 + 0.5 * clock);
}

/** Blocks of the key-value cache that fit beside weights and activations. */
export function keyValueBlocks(
  gpu: GpuType,
  cost: IterationCost,
  gpuCount: number,
  memoryUtilization: number,
  blockTokens: number,
): number {
  const perGpu = gpu.memoryBytes * memoryUtilization - cost.weightsBytes / gpuCount - ACTIVATION_BYTES;
  return Math.max(0, Math.floor((perGpu * gpuCount) / (cost.keyValueBytesPerToken * blockTokens)));
}

/** Activations, CUDA graphs and NCCL buffers of one GPU. */
export const ACTIVATION_BYTES = 4.5e9;
