// The entry of the thread that seals segments and merges blocks, one job after the other.
import { parentPort } from 'node:worker_threads';
import { mergeBlocks, sealSegment } from './seal.ts';
import type { SealAnswer, SealJob } from './sealer.ts';

parentPort?.on('message', (job: SealJob) => {
  let answer: SealAnswer;
  try {
    const { tombstones, cut, path } = job;
    const block =
      job.kind === 'seal'
        ? sealSegment(job.memory, tombstones, cut, path)
        : mergeBlocks(job.parts, tombstones, cut, path);
    answer = { block };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer);
});
