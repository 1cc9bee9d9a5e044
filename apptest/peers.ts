import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '..');

/**
 * The folder of a real Prometheus's programs, unpacked where there is something to unpack; else why there is none, for
 * a test that skips.
 */
export async function findPrometheus(): Promise<{ readonly bin: string } | { readonly missing: string }> {
  const peers = process.env.BAROGRAPH_PEERS ?? path.join(ROOT, 'node_modules', '.cache', 'barograph-peers');
  const bin = path.join(peers, 'usr', 'bin');
  if (fs.existsSync(path.join(bin, 'prometheus'))) return { bin };
  const script = path.join(ROOT, '..', 'shared', 'lab', 'peers.sh');
  if (!fs.existsSync(script)) return { missing: 'no Prometheus here, and nothing to unpack one with' };
  try {
    fs.mkdirSync(peers, { recursive: true });
    await run('bash', [script, peers], { timeout: 120_000 });
    return { bin };
  } catch {
    return { missing: 'a Prometheus could not be unpacked here' };
  }
}
