// A thread of a test: reads label sets while another thread adds to them, and says what it found wrong.
import { parentPort, workerData } from 'node:worker_threads';
import { createMatcher } from '../../model/index.ts';
import { LabelIndex } from './label-index.ts';
import type { LabelMemory } from './label-memory.ts';

const { memory, until } = workerData as { memory: LabelMemory; until: number };

/** What is wrong with what the index finds, given how label set `i` is made; `undefined` where nothing is. */
function problemOf(index: LabelIndex): string | undefined {
  const { size } = index;
  const some = index.select([createMatcher('all', '=', 'x')]);
  if (some.length !== size || some.some((id, i) => id !== i)) return `${some.length} of ${size} have the common pair`;
  const thirds = index.select([createMatcher('third', '=~', '1|none')]);
  if (thirds.length !== Math.floor((size + 1) / 3)) return `${thirds.length} thirds of ${size}`;
  const rest = index.select([createMatcher('third', '!=', '1')]);
  if (rest.length + thirds.length !== size) return `${rest.length} others beside ${thirds.length} of ${size}`;
  for (const id of [size - 1, size >> 1, ((97 * size) % 89) % size]) {
    const labels = index.labels(id);
    if (labels.join() !== `all,x,n,value-${id},third,${id % 3}`) return `set ${id} is ${labels.join()}`;
    const found = index.select([createMatcher('n', '=', `value-${id}`)]);
    if (found.length !== 1 || found[0] !== id) return `set ${id} is found as ${found.join()}`;
  }
  if (index.select([createMatcher('n', '=', `value-${size}`)]).length > 0) return `set ${size} is found too early`;
  const last = index.select([createMatcher('n', '=~', `value-${size - 1}|value-[0-9]`)]);
  return last.length === Math.min(size, 10) + (size > 10 ? 1 : 0)
    ? undefined
    : `${last.length} by expression of ${size}`;
}

const index = new LabelIndex(memory);
parentPort?.postMessage('ready');
let looks = 0;
let problem: string | undefined;
while (index.size < until && !problem) {
  index.refresh();
  if (index.size > 0) {
    problem = problemOf(index);
    looks++;
  }
}
parentPort?.postMessage({ looks, problem });
