// How fast the explorer answers: npm run bench census [series]. Starts the program, offers a million series (leaking ones
// over many metrics and senders, and 40,000 that are stored) by remote write, and asks each route of the cardinality page
// twenty times. Prints milliseconds (median, worst) and bytes. Then what counting cost takes of ingestion's CPU.
import { CostCensus } from '../server/govern/census/cost.ts';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { BAROGRAPH, median, newFolder, startPeer, usageOf } from './lab/peers.ts';

const OFFERED = Number(process.argv[2] ?? 1_000_000);
const STORED = 40_000;
const BATCH = 10_000;
const RUNS = 20;
const ROUTES = [
  'cardinality?limit=50',
  'cardinality?limit=1000&growth=month',
  'cardinality?search=leak&limit=200',
  'cardinality/metric?name=leak_1_total',
  'cardinality/label?name=request_id',
  'cardinality/label?name=pod',
  'cost?by=team',
  'cost?by=service&limit=1000',
  'policy',
];

function seriesAt(i: number): Record<string, string> {
  const common = { job: `job-${i % 200}`, team: `team-${i % 60}`, region: `region-${i % 12}` };
  if (i < STORED) return { __name__: `app_${i % 400}_value`, pod: `pod-${i % 97}`, shard: `s${i % 31}`, ...common };
  return { __name__: `leak_${i % 300}_total`, request_id: `r${i}`, ...common };
}

async function offer(url: string): Promise<number> {
  let samples = 0;
  for (let from = 0; from < OFFERED; from += BATCH) {
    const count = Math.min(BATCH, OFFERED - from);
    const series = Array.from({ length: count }, (_, i) => labelsFromRecord(seriesAt(from + i)));
    const body = encodeWriteRequest({
      series,
      sampleSeries: Uint32Array.from({ length: count }, (_, i) => i),
      sampleTimestampMs: new Float64Array(count).fill(Date.now()),
      sampleValue: Float64Array.from({ length: count }, (_, i) => i),
    });
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const sent = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers,
      body: Buffer.from(snappyCompress(body)),
    });
    if (!sent.ok) throw new Error(`${sent.status}: ${await sent.text()}`);
    samples += count;
  }
  return samples;
}

/** Nanoseconds that a sample of known series takes to be counted, of a hundred runs over a batch the median. */
function costNs(): number {
  const cost = new CostCensus();
  for (let i = 0; i < STORED; i++) cost.addSeries(i, labelsFromRecord(seriesAt(i)));
  const ids = Uint32Array.from({ length: BATCH }, () => Math.floor(Math.random() * STORED));
  const runs: number[] = [];
  for (let run = 0; run < 300; run++) {
    const startedMs = performance.now();
    cost.addSamples(ids, BATCH);
    runs.push(((performance.now() - startedMs) * 1e6) / BATCH);
  }
  cost.fold(Date.now());
  return median(runs.slice(100));
}

const peer = await startPeer(BAROGRAPH, newFolder());
try {
  const before = usageOf(peer.pid).cpuSeconds;
  const samples = await offer(peer.url);
  const { cpuSeconds, residentMiB } = usageOf(peer.pid);
  const perSample = ((cpuSeconds - before) * 1e9) / samples;
  console.log(
    `${OFFERED} series offered, ${STORED} stored: ${perSample.toFixed(0)} ns CPU a new series, ${residentMiB.toFixed(0)} MiB`,
  );
  console.log('| route | median ms | worst ms | kB |\n|---|---|---|---|');
  for (const route of ROUTES) {
    const times: number[] = [];
    let bytes = 0;
    for (let run = 0; run < RUNS; run++) {
      const startedMs = performance.now();
      const answer = await fetch(`${peer.url}/api/barograph/v1/${route}`);
      bytes = (await answer.arrayBuffer()).byteLength;
      times.push(performance.now() - startedMs);
      if (!answer.ok) throw new Error(`${route}: ${answer.status}`);
    }
    console.log(
      `| ${route} | ${median(times).toFixed(1)} | ${Math.max(...times).toFixed(1)} | ${(bytes / 1000).toFixed(0)} |`,
    );
  }
  console.log(`counting cost: ${costNs().toFixed(2)} ns a sample of a known series`);
} finally {
  await peer.remove();
}
