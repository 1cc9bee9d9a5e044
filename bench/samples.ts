// The coding of sealed samples: bytes a sample, and nanoseconds of CPU time a sample to encode and to decode.
//   npm run bench samples
import { decodeChunk, encodeChunk, maxChunkWords, sampleColumns } from '../server/store/samples/chunk-codec.ts';

const SAMPLES = 480;
const ROUNDS = 4000;

let seed = 42;
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
const column = (next: (i: number) => number): Float64Array => Float64Array.from({ length: SAMPLES }, (_, i) => next(i));

let [count, sum] = [0, 0];
const values: Readonly<Record<string, Float64Array>> = {
  'counter, +0 to 7 a step': column(() => (count += Math.floor(random() * 8))),
  'gauge, two decimals within 30': column(() => Math.round((60 + 30 * random()) * 100) / 100),
  'sum of arbitrary doubles': column(() => (sum += random())),
  'arbitrary doubles': column(random),
};
const times: Readonly<Record<string, Float64Array>> = {
  even: column((i) => 1.7e12 + i * 15_000),
  'within 20 ms': column((i) => 1.7e12 + i * 15_000 + Math.floor(random() * 20)),
};

/** CPU nanoseconds a sample, after as many rounds that only warm up. */
function cpuNs(run: () => void): number {
  for (let i = 0; i < ROUNDS; i++) run();
  const before = process.cpuUsage().user;
  for (let i = 0; i < ROUNDS; i++) run();
  return ((process.cpuUsage().user - before) * 1000) / ROUNDS / SAMPLES;
}

for (const [what, ofSeries] of Object.entries(values)) {
  for (const [when, at] of Object.entries(times)) {
    const words = new Uint32Array(maxChunkWords(SAMPLES) + 1);
    const out = sampleColumns(SAMPLES);
    let end = 0;
    const encode = cpuNs(() => {
      words.fill(0, 0, end);
      end = encodeChunk(at, ofSeries, 0, SAMPLES, words, 0);
    });
    const decode = cpuNs(() => decodeChunk(words, 0, out, 0));
    const bytes = ((end * 4) / SAMPLES).toFixed(2);
    const name = `${what}, times ${when}`.padEnd(50);
    console.log(`${name} ${bytes} bytes  encode ${encode.toFixed(0)} ns  decode ${decode.toFixed(1)} ns`);
  }
}
