import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { reserveLabelMemory } from './label-memory.ts';
import { LabelWriter } from './label-writer.ts';

const SETS = 20_000;

it('label sets are read by a thread while another adds to them, each number whole and in its place', async () => {
  const writer = new LabelWriter(reserveLabelMemory());
  const workerData = { memory: writer.memory, until: SETS };
  const workers = [0, 1].map(() => new Worker(new URL('./concurrent-reader.ts', import.meta.url), { workerData }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
  for (let i = 0; i < SETS; i++) {
    writer.add(['all', 'x', 'n', `value-${i}`, 'third', String(i % 3)]);
    // Others go on meanwhile, so that they find it in every state.
    if (i % 7 === 0) {
      const { counts } = writer;
      if (i % 2 === 0) writer.add(['all', 'x', 'n', `value-${i + 1}`, 'third', String((i + 1) % 3)]);
      writer.publish(counts);
    }
    if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  writer.publish(writer.counts);
  for (const [{ looks, problem }] of await answers) {
    expect(problem).toBeUndefined();
    expect(looks).toBeGreaterThan(1);
  }
});
