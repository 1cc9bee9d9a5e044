// The programs that benchmarks compare with, and how each is started and fed.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(import.meta.dirname, '..', '..');
const LOAD = path.join(ROOT, '..', 'shared', 'lab', 'remote-write.mjs');
const PEERS = process.env.BAROGRAPH_PEERS ?? path.join(ROOT, 'node_modules', '.cache', 'barograph-peers');

/** A program that takes remote write and answers PromQL. */
export interface Peer {
  readonly name: string;
  readonly start: (folder: string, port: number) => ChildProcess;
  readonly readyPath: string;
}

/** The program of this checkout. */
export const BAROGRAPH: Peer = {
  name: 'barograph',
  start: (folder, port) => {
    const main = path.join(ROOT, 'server/cmd/main.ts');
    const ports = ['--port', `${port}`, '--otlp-http-port', `${port + 1}`, '--otlp-grpc-port', '0'];
    return spawn(process.execPath, [main, 'serve', ...ports, '--data', folder, '--log-level', 'error'], {
      stdio: 'ignore',
    });
  },
  readyPath: '/-/ready',
};

const PROGRAMS: readonly Peer[] = [
  BAROGRAPH,
  {
    name: 'prometheus',
    start: (folder, port) => {
      fs.writeFileSync(path.join(folder, 'p.yml'), 'storage: {tsdb: {out_of_order_time_window: 1h}}\n');
      const files = [`--config.file=${folder}/p.yml`, `--storage.tsdb.path=${folder}/data`];
      const web = [`--web.listen-address=127.0.0.1:${port}`, '--web.enable-remote-write-receiver'];
      return spawn(path.join(PEERS, 'usr/bin/prometheus'), [...files, ...web], { stdio: 'ignore' });
    },
    readyPath: '/-/ready',
  },
  {
    name: 'victoria-metrics',
    start: (folder, port) => {
      const args = [`-storageDataPath=${folder}/data`, `-httpListenAddr=127.0.0.1:${port}`];
      return spawn(path.join(PEERS, 'usr/bin/victoria-metrics'), args, { stdio: 'ignore' });
    },
    readyPath: '/health',
  },
];

/** Barograph and the peers that are here; says which aren't. Ends the process where there is no load generator. */
export function presentPeers(): readonly Peer[] {
  if (!fs.existsSync(LOAD)) {
    console.log('the load generator is not beside this checkout; nothing to measure');
    process.exit(0);
  }
  const isHere = (peer: Peer) => peer.name === 'barograph' || fs.existsSync(path.join(PEERS, 'usr/bin', peer.name));
  for (const peer of PROGRAMS) if (!isHere(peer)) console.log(`${peer.name}: not in ${PEERS}, left out`);
  return PROGRAMS.filter(isHere);
}

/** A peer that runs. */
export interface RunningPeer {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly folder: string;
  /** Ends it and waits; the folder stays. */
  stop(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** A folder for a peer's data. */
export function newFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-'));
}

/** Starts a peer on a free port; Barograph takes OTLP over HTTP on the next one; resolves once it is ready. */
export async function startPeer(peer: Peer, folder: string): Promise<RunningPeer> {
  const port = 20_000 + 2 * Math.floor(Math.random() * 10_000);
  const child = peer.start(folder, port);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(url + peer.readyPath).then(
      (response) => response.ok,
      () => false,
    );
  for (let i = 0; i < 1200 && !(await isReady()); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  const remove = async (): Promise<void> => {
    await stop('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  return { name: peer.name, url, pid: child.pid as number, folder, stop, remove };
}

/** What the load generator reports. */
export interface LoadReport {
  readonly acked: number;
  readonly samplesPerSecond: number;
  readonly samplesPerCpuSecond: number;
  readonly peakMiB: number;
  readonly refused?: Record<string, number>;
}

/** Sends load by remote write; `options` are the generator's, without their dashes. */
export async function sendLoad(
  { url, pid }: RunningPeer,
  options: Readonly<Record<string, string | number>>,
): Promise<LoadReport> {
  const rest = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = [LOAD, '--url', `${url}/api/v1/write`, '--pid', String(pid), ...rest];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: path.join(ROOT, 'server') });
  return JSON.parse(stdout) as LoadReport;
}

/** CPU seconds that a process has used, all threads, and its resident memory and peak in MiB. */
export function usageOf(pid: number): { cpuSeconds: number; residentMiB: number; peakMiB: number } {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    residentMiB: mib('VmRSS'),
    peakMiB: mib('VmHWM'),
  };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
