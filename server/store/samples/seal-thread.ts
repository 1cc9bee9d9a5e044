// The entry of the thread that seals segments and merges blocks, one job after the other.
import { parentPort } from 'node:worker_threads';
import { mergeBlocks, sealSegment } from './seal.ts';
import type { SealAnswer, SealJob } from './sealer.ts';

parentPort?.on('message', (job: SealJob) => {
  let answer: SealAnswer;
  try {
    const { tombstones, path } = job;
    const isSeal = job.kind === 'seal';
    answer = { block: isSeal ? sealSegment(job.memory, tombstones, path) : mergeBlocks(job.parts, tombstones, path) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer);
});
