// What heavy queries do to ingestion: the time until a write is acknowledged, first alone, then with 50 heavy queries at
// once, and the memory that it all takes. Runs alternate.
//   npm run bench pressure            10,000 series × 2 h, three rounds of 15 s each
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { median, newFolder, presentPeers, type RunningPeer, sendLoad, startPeer, usageOf } from './lab/peers.ts';

const [rounds, seconds] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 15)];
const SERIES = 2000;
const WRITES_PER_SECOND = 10;
const HEAVY = 50;
const endS = Math.floor(Date.now() / 60_000) * 60;

const series = Array.from({ length: SERIES }, (_, i) =>
  labelsFromRecord({ __name__: 'pressure_total', deployment: `dep-${i % 40}`, replica: `${i}` }),
);
const sampleSeries = Uint32Array.from({ length: SERIES }, (_, i) => i);

async function write(peer: RunningPeer, n: number): Promise<number> {
  const columns = {
    series,
    sampleSeries,
    sampleTimestampMs: new Float64Array(SERIES).fill(endS * 1000 + n * 100),
    sampleValue: Float64Array.from(sampleSeries, (i) => i * n),
  };
  const body = new Uint8Array(snappyCompress(encodeWriteRequest(columns)));
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const started = performance.now();
  const response = await fetch(`${peer.url}/api/v1/write`, { method: 'POST', headers, body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${peer.name}: ${response.status}`);
  return performance.now() - started;
}

let written = 0;

/** Writes at a steady rate, late or not, and gives the times until the acknowledgements. */
async function writeSteadily(peer: RunningPeer, stop: () => boolean): Promise<number[]> {
  const times: Promise<number>[] = [];
  while (!stop()) {
    times.push(write(peer, written++));
    await new Promise((resolve) => setTimeout(resolve, 1000 / WRITES_PER_SECOND));
  }
  return Promise.all(times);
}

async function heavyQuery(peer: RunningPeer): Promise<void> {
  const query = 'topk(10, sum by (instance, model_version, replica) (rate({model_version=~".+"}[5m])))';
  const body = new URLSearchParams({ query, start: `${endS - 7200}`, end: `${endS}`, step: '15', nocache: '1' });
  await (await fetch(`${peer.url}/api/v1/query_range`, { method: 'POST', body })).arrayBuffer();
}

const peers = await Promise.all(
  presentPeers().map(async (peer) => {
    const running = await startPeer(peer, newFolder());
    await sendLoad(running, { series: 10_000, scrapes: 480, start: (endS - 7200) * 1000 });
    return running;
  }),
);
try {
  const results = new Map(
    peers.map((peer) => [peer.name, { alone: [] as number[], under: [] as number[], answered: 0 }]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) {
      const result = results.get(peer.name) as { alone: number[]; under: number[]; answered: number };
      let until = performance.now() + seconds * 1000;
      result.alone.push(...(await writeSteadily(peer, () => performance.now() > until)));
      until = performance.now() + seconds * 1000;
      const load = Array.from({ length: HEAVY }, async () => {
        while (performance.now() < until) {
          await heavyQuery(peer);
          result.answered++;
        }
      });
      result.under.push(...(await writeSteadily(peer, () => performance.now() > until)));
      await Promise.all(load);
    }
  }
  const quantile = (times: number[], q: number) => [...times].sort((a, b) => a - b)[Math.floor(q * times.length)];
  for (const peer of peers) {
    const { alone, under, answered } = results.get(peer.name) as { alone: number[]; under: number[]; answered: number };
    const show = (times: number[]) =>
      `median ${median(times).toFixed(1)} ms, p95 ${quantile(times, 0.95).toFixed(1)} ms, worst ${Math.max(...times).toFixed(0)} ms`;
    console.log(`${peer.name}: peak ${usageOf(peer.pid).peakMiB.toFixed(0)} MiB, ${answered} heavy queries answered`);
    console.log(`  writes alone        ${show(alone)}`);
    console.log(`  with ${HEAVY} queries     ${show(under)} (median × ${(median(under) / median(alone)).toFixed(2)})`);
  }
} finally {
  for (const peer of peers) await peer.remove();
}
