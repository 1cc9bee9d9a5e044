// Remote write into Barograph, Prometheus and VictoriaMetrics in one run: samples per CPU second of the receiver, and its
// peak memory. Runs alternate and the median counts.
//   npm run bench ingest               three rounds of 10,000 series × 100 scrapes, then the same with half of the series leaking
//   npm run bench ingest -- 5 200      five rounds of 200 scrapes
//   npm run bench ingest -- 1 100 flat Barograph only, half of the series leaking for 100, 200, 400 and 800 scrapes:
//                                      memory and the number of stored series must not grow with the time
// The load generator and the peers are looked for beside the checkout (../shared/lab) and in BAROGRAPH_PEERS; what isn't
// there is left out with a message.
import { type LoadReport, median, newFolder, type Peer, presentPeers, sendLoad, startPeer } from './lab/peers.ts';

const [rounds, scrapes] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 100)];
const peers = presentPeers();

async function measure(peer: Peer, churn: number, count: number): Promise<LoadReport & { series: number }> {
  const running = await startPeer(peer, newFolder());
  try {
    const report = await sendLoad(running, { series: 10_000, scrapes: count, churn });
    const own = await (await fetch(`${running.url}/metrics`)).text();
    return { ...report, series: Number(/^barograph_store_series (\d+)/m.exec(own)?.[1] ?? 0) };
  } finally {
    await running.remove();
  }
}

if (process.argv[4] === 'flat') {
  console.log('10,000 series, half of them leaking a request ID at every scrape');
  for (const factor of [1, 2, 4, 8]) {
    const { acked, peakMiB, series } = await measure(peers[0], 0.5, scrapes * factor);
    console.log(
      `  ${String(scrapes * factor).padStart(5)} scrapes  ${acked} samples  peak ${peakMiB} MiB  ${series} series`,
    );
  }
  process.exit(0);
}

for (const churn of [0, 0.5]) {
  const reports = new Map<string, LoadReport[]>(peers.map((peer) => [peer.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) {
      process.stderr.write(`churn ${churn}, round ${round + 1} of ${rounds}: ${peer.name}\n`);
      reports.get(peer.name)?.push(await measure(peer, churn, scrapes));
    }
  }
  console.log(`\n10,000 series × ${scrapes} scrapes, churn ${churn}, median of ${rounds}`);
  for (const [name, list] of reports) {
    const rate = String(median(list.map((r) => r.samplesPerCpuSecond))).padStart(9);
    const wall = String(median(list.map((r) => r.samplesPerSecond))).padStart(9);
    const peak = median(list.map((r) => r.peakMiB));
    const refused = list.find((r) => r.refused)?.refused;
    const tail = refused ? ` refused ${JSON.stringify(refused)}` : '';
    console.log(`  ${name.padEnd(18)} ${rate} samples/CPU s  ${wall} samples/s  peak ${peak} MiB${tail}`);
  }
}
