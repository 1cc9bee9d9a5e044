import type { Node, Replica } from './fleet.ts';

/** Who wrote a line. */
export type LineSource = 'vllm' | 'kernel' | 'lora-trainer';

/** A line of a process or of the kernel on some node. */
export interface EngineLine {
  readonly timeMs: number;
  readonly source: LineSource;
  readonly node: Node;
  /** The engine that wrote it; absent for the kernel and other processes. */
  readonly replica?: Replica;
  readonly severity: 'info' | 'warning' | 'error' | 'critical';
  readonly text: string;
}

const GIB = 1_073_741_824;

/** vLLM's own format of an INFO, WARNING or ERROR line, with its place in the source. */
export function vllmLine(timeMs: number, level: 'INFO' | 'WARNING' | 'ERROR', place: string, text: string): string {
  const iso = new Date(timeMs).toISOString();
  const process = place.startsWith('gpu_') || place.startsWith('core') ? 'EngineCore' : 'APIServer';
  return `(${process} pid=${process === 'EngineCore' ? 258 : 1}) ${level} ${iso.slice(5, 10)} ${iso.slice(11, 19)} [${place}] ${text}`;
}

/** What vLLM writes every 10 seconds while it is busy. Rates are tokens a second over the last 10 s. */
export function statsLine(replica: Replica, timeMs: number, promptRate: number, generationRate: number): string {
  const { engine } = replica;
  const hitRate = engine.metrics.prefixQueries === 0 ? 0 : engine.metrics.prefixHits / engine.metrics.prefixQueries;
  return vllmLine(
    timeMs,
    'INFO',
    'loggers.py:248',
    `Engine 000: Avg prompt throughput: ${promptRate.toFixed(1)} tokens/s, ` +
      `Avg generation throughput: ${generationRate.toFixed(1)} tokens/s, Running: ${engine.running.length} reqs, ` +
      `Waiting: ${engine.waiting.length} reqs, GPU KV cache usage: ${(engine.cache.usage * 100).toFixed(1)}%, ` +
      `Prefix cache hit rate: ${(hitRate * 100).toFixed(1)}%`,
  );
}

/** The access line of vLLM's HTTP server (uvicorn). */
export function accessLine(clientPort: number, status: string): string {
  return `(APIServer pid=1) INFO:     10.42.0.17:${clientPort} - "POST /v1/chat/completions HTTP/1.1" ${status}`;
}

/** What an engine that starts says about its memory. */
export function startLines(replica: Replica, timeMs: number): string[] {
  const { spec } = replica.deployment;
  const weights = (replica.engine.cost.weightsBytes / spec.gpusPerReplica / GIB).toFixed(2);
  const cacheBytes = replica.engine.config.kvBlocks * 16 * replica.engine.cost.keyValueBytesPerToken;
  const tokens = (replica.engine.config.kvBlocks * 16).toLocaleString('en-US');
  return [
    vllmLine(
      timeMs,
      'INFO',
      'gpu_model_runner.py:3259',
      `Model loading took ${weights} GiB memory and 31.482113 seconds`,
    ),
    vllmLine(
      timeMs,
      'INFO',
      'gpu_worker.py:440',
      `Available KV cache memory: ${(cacheBytes / spec.gpusPerReplica / GIB).toFixed(2)} GiB`,
    ),
    vllmLine(timeMs, 'INFO', 'core.py:1287', `GPU KV cache size: ${tokens} tokens`),
    vllmLine(timeMs, 'INFO', 'api_server.py:1912', 'Starting vLLM API server 0 on http://0.0.0.0:8000'),
  ];
}

/** PyTorch's text when an allocation on a GPU fails, here because another process took the memory. */
export function outOfMemoryLine(replica: Replica, timeMs: number, otherBytes: number): string {
  const gpu = replica.gpus[0];
  const total = gpu.type.memoryBytes / GIB;
  const own = (gpu.usedBytes - otherBytes) / GIB;
  const free = Math.max(0, (gpu.type.memoryBytes - gpu.type.reservedBytes - gpu.usedBytes) / 1_048_576);
  return vllmLine(
    timeMs,
    'ERROR',
    'core.py:871',
    `torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.16 GiB. GPU ${gpu.index} has a total capacity of ` +
      `${total.toFixed(2)} GiB of which ${free.toFixed(2)} MiB is free. Process 40913 has ${(otherBytes / GIB).toFixed(2)} GiB memory in use. ` +
      `Including non-PyTorch memory, this process has ${own.toFixed(2)} GiB memory in use. Of the allocated memory ` +
      `${(own - 0.9).toFixed(2)} GiB is allocated by PyTorch, and 214.37 MiB is reserved by PyTorch but unallocated. ` +
      'If reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation.',
  );
}

/** What the API server says when its engine has died. */
export function engineDeadLine(timeMs: number): string {
  return vllmLine(
    timeMs,
    'ERROR',
    'async_llm.py:704',
    'vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.',
  );
}

/** vLLM's refusal to start beside a process that holds the memory. */
export function startRefusedLine(replica: Replica, timeMs: number, otherBytes: number): string {
  const gpu = replica.gpus[0];
  const total = (gpu.type.memoryBytes / GIB).toFixed(2);
  const free = ((gpu.type.memoryBytes - gpu.type.reservedBytes - otherBytes) / GIB).toFixed(2);
  const utilization = replica.deployment.spec.memoryUtilization;
  return vllmLine(
    timeMs,
    'ERROR',
    'core.py:843',
    `ValueError: Free memory on device cuda:${gpu.index} (${free}/${total} GiB) on startup is less than desired GPU memory utilization ` +
      `(${utilization}, ${((gpu.type.memoryBytes * utilization) / GIB).toFixed(2)} GiB). Decrease GPU memory utilization or ` +
      'reduce GPU memory used by other processes.',
  );
}

/** DeepSpeed's hint that the allocator had to flush its cache and try again. */
export function allocatorRetryLine(timeMs: number, flushes: number): string {
  const stamp = new Date(timeMs).toISOString().replace('T', ' ').replace('.', ',').replace('Z', '');
  return (
    `[${stamp}] [WARNING] [stage3.py:2236:step] ${flushes} pytorch allocator cache flushes since last step. ` +
    'this happens when there is high memory pressure and is detrimental to performance.'
  );
}

/** A line of NVIDIA's kernel module. `uptimeSeconds` stands in dmesg's brackets. */
export function xidLine(uptimeSeconds: number, pciAddress: string, xid: number, text: string): string {
  return `[${uptimeSeconds.toFixed(6)}] NVRM: Xid (PCI:${pciAddress}): ${xid}, ${text}`;
}

/** The PCI address of a node's GPU, as the kernel prints it. */
export function pciAddress(index: number): string {
  return `0000:${(0x18 + index * 0x23).toString(16).padStart(2, '0')}:00`;
}
