// The entry of the thread that seals a segment or merges blocks: one job, then it ends.
import { parentPort, workerData } from 'node:worker_threads';
import { mergeBlocks, sealSegment } from './seal.ts';
import type { SealJob } from './sealer.ts';

const job = workerData as SealJob;
const block = job.kind === 'seal' ? sealSegment(job.memory, job.path) : mergeBlocks(job.parts, job.path);
parentPort?.postMessage(block);
