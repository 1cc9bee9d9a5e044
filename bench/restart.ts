// What a restart costs: time until the server is ready, the first query asked in that instant, the second, memory then.
//   npm run bench restart [series…]      default 10000 100000; each with three samples a series, five restarts
// Prometheus beside it where it is installed (see bench/lab/peers.ts), with the same series sent by remote write.
import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { labelsFromRecord } from '../server/model/index.ts';
import { openStore } from '../server/store/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { median, newFolder, type Peer, presentPeers, startPeer, usageOf } from './lab/peers.ts';

/** Milliseconds between two looks whether a program is ready. */
const LOOK_MS = 4;

const COUNTS = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000];
const RESTARTS = 5;
const SERIES_PER_REQUEST = 2000;
const nowMs = Math.floor(Date.now() / 15_000) * 15_000;
const times = [nowMs - 45_000, nowMs - 30_000, nowMs - 15_000];
const QUERY = 'sum by (region) (rate(metric_7_total[5m]))';

/** Pods of many deployments with many metrics each, as a large cluster has them. */
function labelsOf(i: number) {
  const pod = Math.floor(i / 60);
  return labelsFromRecord({
    __name__: `metric_${i % 60}_total`,
    deployment: `service-${pod % 300}`,
    environment: 'production',
    instance: `10.${pod % 16}.${(pod >> 4) % 256}.${(pod >> 12) % 256}:9090`,
    job: `service-${pod % 300}`,
    node: `node-${pod % 400}`,
    pod: `service-${pod % 300}-${((pod * 2_654_435_761) >>> 0).toString(16)}`,
    region: `region-${pod % 4}`,
  });
}

/** Fills a data directory of ours without the way through HTTP. */
async function fillStore(directory: string, series: number): Promise<void> {
  const store = await openStore({ directory });
  const started = process.cpuUsage();
  for (let i = 0; i < series; i++) {
    const id = store.series.resolve(labelsOf(i));
    for (const ms of times) store.writer.buffer.pushSample(id, ms, i);
    if (i % 20_000 === 0) await store.writer.commit();
  }
  await store.writer.commit();
  const { user, system } = process.cpuUsage(started);
  console.log(`${series} new series: ${((user + system) / series).toFixed(2)} CPU µs a series to store`);
  await store.close();
}

async function fillByRemoteWrite(url: string, series: number): Promise<void> {
  for (let from = 0; from < series; from += SERIES_PER_REQUEST) {
    const count = Math.min(SERIES_PER_REQUEST, series - from);
    const rows = count * times.length;
    const body = encodeWriteRequest({
      series: Array.from({ length: count }, (_, i) => labelsOf(from + i)),
      sampleSeries: Uint32Array.from({ length: rows }, (_, row) => Math.floor(row / times.length)),
      sampleTimestampMs: Float64Array.from({ length: rows }, (_, row) => times[row % times.length]),
      sampleValue: Float64Array.from({ length: rows }, (_, row) => row),
    });
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const answer = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers,
      body: Buffer.from(snappyCompress(body)),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
}

async function ask(url: string): Promise<number> {
  const started = performance.now();
  const query = new URLSearchParams({
    query: QUERY,
    start: `${nowMs / 1000 - 60}`,
    end: `${nowMs / 1000}`,
    step: '15',
  });
  const answer = await fetch(`${url}/api/v1/query_range?${query}`);
  if (!(await answer.text()).includes('region-3')) throw new Error('an answer without the data');
  return performance.now() - started;
}

/** Starts a program and asks it in the instant in which it is ready. */
async function restart(peer: Peer, folder: string): Promise<number[]> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const url = `http://127.0.0.1:${port}`;
  const started = performance.now();
  const child = peer.start(folder, port);
  const isReady = () =>
    fetch(url + peer.readyPath).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`${peer.name} ended with ${child.exitCode} before it was ready`);
    await sleep(LOOK_MS);
  }
  const readyMs = performance.now() - started;
  const [first, second] = [await ask(url), await ask(url)];
  await sleep(500);
  const { residentMiB } = usageOf(child.pid as number);
  child.kill('SIGTERM');
  await once(child, 'exit');
  return [readyMs, first, second, residentMiB];
}

console.log('median of the restarts: ready after ms, first query ms, second query ms, resident MiB');
for (const series of COUNTS) {
  for (const peer of presentPeers().filter(({ name }) => name !== 'victoria-metrics')) {
    const folder = newFolder();
    try {
      if (peer.name === 'barograph') await fillStore(folder, series);
      else {
        const running = await startPeer(peer, folder);
        await fillByRemoteWrite(running.url, series);
        await running.stop('SIGTERM');
      }
      const runs: number[][] = [];
      for (let i = 0; i < RESTARTS; i++) runs.push(await restart(peer, folder));
      const middle = [0, 1, 2, 3].map((column) =>
        median(runs.map((run) => run[column]))
          .toFixed(0)
          .padStart(7),
      );
      console.log(`${String(series).padStart(9)} ${peer.name.padEnd(12)} ${middle.join(' ')}`);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
}
