import { type ChildProcess, execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from './program.ts';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '..');
const PEERS = process.env.BAROGRAPH_PEERS ?? path.join(ROOT, 'node_modules', '.cache', 'barograph-peers');
const SCRIPT = path.join(ROOT, '..', 'shared', 'lab', 'peers.sh');

/** The folder of a real Prometheus's programs, which is unpacked where it can be; `undefined` where there is none. */
export async function findPrometheus(): Promise<string | undefined> {
  const folder = path.join(PEERS, 'usr', 'bin');
  if (fs.existsSync(path.join(folder, 'prometheus'))) return folder;
  if (!fs.existsSync(SCRIPT)) return undefined;
  try {
    fs.mkdirSync(PEERS, { recursive: true });
    await run('bash', [SCRIPT, PEERS], { timeout: 120_000 });
    return fs.existsSync(path.join(folder, 'prometheus')) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** A Prometheus that runs beside the program. */
export interface PeerPrometheus {
  readonly url: string;
  readonly port: number;
  stop(): void;
}

/** Starts a Prometheus with a configuration over its own port; resolves once it is ready. */
export async function startPrometheus(
  folder: string,
  config: (port: number) => string,
  args: readonly string[] = [],
): Promise<PeerPrometheus> {
  const data = temporaryDirectory();
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  fs.writeFileSync(path.join(data, 'prometheus.yml'), config(port));
  const child: ChildProcess = spawn(path.join(folder, 'prometheus'), [
    `--config.file=${data}/prometheus.yml`,
    `--storage.tsdb.path=${data}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...args,
  ]);
  const url = `http://127.0.0.1:${port}`;
  const stop = (): void => {
    child.kill('SIGKILL');
    fs.rmSync(data, { recursive: true, force: true });
  };
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ready = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (ready?.ok) return { url, port, stop };
  }
  stop();
  throw new Error('Prometheus did not become ready');
}
