// Remote write into Barograph, Prometheus and VictoriaMetrics in one run: samples per CPU second of the receiver, and its
// peak memory. Runs alternate and the median counts.
//   npm run bench ingest            three rounds of 10,000 series × 100 scrapes, then the same with half of the series leaking
//   npm run bench ingest -- 5 200   five rounds of 200 scrapes
// The load generator and the peers are looked for beside the checkout (../shared/lab) and in BAROGRAPH_PEERS; what isn't
// there is left out with a message.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const LOAD = path.join(ROOT, '..', 'shared', 'lab', 'remote-write.mjs');
const PEERS = process.env.BAROGRAPH_PEERS ?? path.join(ROOT, 'node_modules', '.cache', 'barograph-peers');
const [rounds, scrapes] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 100)];

interface Peer {
  readonly name: string;
  readonly start: (folder: string, port: number) => ChildProcess;
  readonly writePath: string;
  readonly readyPath: string;
}

const peers: Peer[] = [
  {
    name: 'barograph',
    start: (folder, port) =>
      spawn(
        process.execPath,
        [
          path.join(ROOT, 'server/cmd/main.ts'),
          'serve',
          '--port',
          String(port),
          '--data',
          folder,
          '--log-level',
          'error',
        ],
        { stdio: 'ignore' },
      ),
    writePath: '/api/v1/write',
    readyPath: '/-/ready',
  },
  {
    name: 'prometheus',
    start: (folder, port) => {
      fs.writeFileSync(path.join(folder, 'p.yml'), 'global: {}\n');
      return spawn(
        path.join(PEERS, 'usr/bin/prometheus'),
        [
          `--config.file=${folder}/p.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-remote-write-receiver',
        ],
        { stdio: 'ignore' },
      );
    },
    writePath: '/api/v1/write',
    readyPath: '/-/ready',
  },
  {
    name: 'victoria-metrics',
    start: (folder, port) =>
      spawn(
        path.join(PEERS, 'usr/bin/victoria-metrics'),
        [`-storageDataPath=${folder}/data`, `-httpListenAddr=127.0.0.1:${port}`],
        { stdio: 'ignore' },
      ),
    writePath: '/api/v1/write',
    readyPath: '/health',
  },
];

interface Report {
  readonly acked: number;
  readonly samplesPerSecond: number;
  readonly samplesPerCpuSecond: number;
  readonly peakMiB: number;
  readonly refused?: Record<string, number>;
}

async function measure(peer: Peer, churn: string): Promise<Report> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-'));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const child = peer.start(folder, port);
  try {
    const url = `http://127.0.0.1:${port}`;
    for (let i = 0; i < 200; i++) {
      const ready = await fetch(url + peer.readyPath).then(
        (r) => r.ok,
        () => false,
      );
      if (ready) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const args = [
      LOAD,
      '--url',
      url + peer.writePath,
      '--pid',
      String(child.pid),
      '--series',
      '10000',
      '--scrapes',
      String(scrapes),
      '--churn',
      churn,
    ];
    const output = execFileSync(process.execPath, args, { cwd: path.join(ROOT, 'server'), encoding: 'utf8' });
    return JSON.parse(output) as Report;
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

if (!fs.existsSync(LOAD)) {
  console.log('ingest: the load generator is not beside this checkout; nothing to measure');
  process.exit(0);
}
const present = peers.filter(
  (peer) => peer.name === 'barograph' || fs.existsSync(path.join(PEERS, 'usr/bin', peer.name)),
);
for (const peer of peers) if (!present.includes(peer)) console.log(`${peer.name}: not in ${PEERS}, left out`);
for (const churn of ['0', '0.5']) {
  const reports = new Map<string, Report[]>(present.map((peer) => [peer.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of present) {
      process.stderr.write(`churn ${churn}, round ${round + 1} of ${rounds}: ${peer.name}\n`);
      reports.get(peer.name)?.push(await measure(peer, churn));
    }
  }
  console.log(`\n10,000 series × ${scrapes} scrapes, churn ${churn}, median of ${rounds}`);
  for (const [name, list] of reports) {
    const rate = median(list.map((r) => r.samplesPerCpuSecond));
    const wall = median(list.map((r) => r.samplesPerSecond));
    const peak = median(list.map((r) => r.peakMiB));
    const refused = list.some((r) => r.refused)
      ? ` refused ${JSON.stringify(list.find((r) => r.refused)?.refused)}`
      : '';
    console.log(
      `  ${name.padEnd(18)} ${String(rate).padStart(9)} samples/CPU s  ${String(wall).padStart(9)} samples/s  peak ${peak} MiB${refused}`,
    );
  }
}
