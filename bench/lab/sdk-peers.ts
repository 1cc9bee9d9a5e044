// Other instrumentations and the real clients of providers, installed on demand by the lock of bench/peers/sdk into
// node_modules/.cache; no dependency of the repository.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..', '..');
const LOCKED = path.join(ROOT, 'bench', 'peers', 'sdk');
const FOLDER = path.join(ROOT, 'node_modules', '.cache', 'bench-peers-sdk');

/**
 * Installs what isn't there in the locked versions. Nothing's install scripts are run.
 * @returns What loads a package from there; undefined where it can't be installed, such as without a network.
 */
export function installSdkPeers(): NodeJS.Require | undefined {
  const lockOf = (folder: string): string => fs.readFileSync(path.join(folder, 'package-lock.json'), 'utf8');
  const isInstalled =
    fs.existsSync(path.join(FOLDER, 'node_modules', 'openai', 'package.json')) && lockOf(FOLDER) === lockOf(LOCKED);
  if (!isInstalled) {
    fs.mkdirSync(FOLDER, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      fs.copyFileSync(path.join(LOCKED, file), path.join(FOLDER, file));
    const options = ['--no-audit', '--no-fund', '--ignore-scripts'];
    const installed = spawnSync('npm', ['ci', ...options], { cwd: FOLDER, stdio: 'ignore' });
    if (installed.status !== 0) return undefined;
  }
  return createRequire(path.join(FOLDER, 'package.json'));
}
