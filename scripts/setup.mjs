// Installs what is missing and nothing else; runs on any Node ≥ 20, with no dependencies of its own.
//   node scripts/setup.mjs
// Where the machine's Node is older than the pinned one, that comes from npm's `node` package into .node/, is used for
// the install (so that npm resolves packages for it) and becomes the first `node` on the PATH of npm scripts.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PINNED_NODE = '24.21.0';
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const local = path.join(root, '.node', 'node_modules', 'node', 'bin');
const stamp = path.join(root, 'node_modules', '.barograph-setup');
const lock = fs.readFileSync(path.join(root, 'package-lock.json'));

const needsNode =
  Number(process.versions.node.split('.')[0]) < 24 && !process.execPath.startsWith(path.join(root, '.node'));
const wanted = createHash('sha256').update(lock).update(PINNED_NODE).digest('hex');
const done = fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted;
if (!done) install();

function install() {
  const env = { ...process.env };
  if (needsNode) {
    if (!fs.existsSync(path.join(local, 'node'))) {
      say(`this machine has Node ${process.version}; fetching Node ${PINNED_NODE} into .node/`);
      fs.mkdirSync(path.join(root, '.node'), { recursive: true });
      npm(
        [
          'install',
          '--prefix',
          path.join(root, '.node'),
          '--no-save',
          '--no-audit',
          '--no-fund',
          `node@${PINNED_NODE}`,
        ],
        env,
      );
    }
    env.PATH = `${local}${path.delimiter}${process.env.PATH}`;
  }
  say('installing packages (npm ci)');
  npm(['ci', '--no-audit', '--no-fund'], env);
  if (needsNode) {
    const link = path.join(root, 'node_modules', '.bin', 'node');
    fs.rmSync(link, { force: true });
    fs.symlinkSync(path.join(local, 'node'), link);
  }
  fs.writeFileSync(stamp, wanted);
}

function npm(args, env) {
  const result = spawnSync('npm', [...args, '--loglevel=error'], { cwd: root, env, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    say(
      `npm ${args.join(' ')} failed; the lines above say why. With a network, run it again: it goes on where it stopped.`,
    );
    process.exit(result.status ?? 1);
  }
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
