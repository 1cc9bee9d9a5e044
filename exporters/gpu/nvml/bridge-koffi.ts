// Koffi's place taken in tests: libraries are called through a small C program, one line a call.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Koffi, NvmlArgument } from './library.ts';

/** Whether this machine has a C compiler; without one these tests are skipped. */
export function hasCompiler(): boolean {
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
}

/** Compiles the stand-in library. @returns Its path. */
export function compileStandIn(directory: string, name: string, defines: readonly string[] = []): string {
  const library = path.join(directory, `${name}.so`);
  const source = path.join(import.meta.dirname, 'testdata', 'nvml-stand-in.c');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', ...defines.map((define) => `-D${define}`), '-o', library, source]);
  return library;
}

/** Something with koffi's interface that calls through the bridge; `close` ends its processes. */
export function createBridgeKoffi(directory: string, env: Readonly<Record<string, string>>): Koffi & { close(): void } {
  const program = path.join(directory, 'bridge');
  if (!fs.existsSync(program))
    execFileSync('gcc', ['-O1', '-o', program, path.join(import.meta.dirname, 'testdata', 'bridge.c'), '-ldl']);
  const closers: (() => void)[] = [];
  return {
    load(library) {
      if (!fs.existsSync(library)) throw new Error('no such library');
      const call = openBridge(directory, program, library, env, closers);
      return {
        func(prototype) {
          const match = /^int (\w+)\((.*)\)$/.exec(prototype);
          if (!match) throw new Error(`a prototype of another form: ${prototype}`);
          const types = match[2] === '' ? [] : match[2].split(', ').map((type) => type.replace(/ ?\w+$/, ''));
          if (!hasSymbol(library, match[1])) throw new Error('no such function');
          return (...args) => call(match[1], types, args);
        },
      };
    },
    close: () => closers.forEach((close) => void close()),
  };
}

const symbols = new Map<string, string>();

function hasSymbol(library: string, symbol: string): boolean {
  const listed = symbols.get(library) ?? execFileSync('nm', ['-D', '--defined-only', library], { encoding: 'utf8' });
  symbols.set(library, listed);
  return listed.includes(` ${symbol}\n`);
}

type Call = (symbol: string, types: readonly string[], args: readonly NvmlArgument[]) => number;

/** Named pipes, because a call has to block as a foreign function does. */
function openBridge(
  directory: string,
  program: string,
  library: string,
  env: Readonly<Record<string, string>>,
  closers: (() => void)[],
): Call {
  const pipes = fs.mkdtempSync(path.join(directory, 'pipes-'));
  const [requests, answers] = [path.join(pipes, 'requests'), path.join(pipes, 'answers')];
  execFileSync('mkfifo', [requests, answers]);
  const child = spawn(program, [library, requests, answers], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const [writer, reader] = [fs.openSync(requests, 'w'), fs.openSync(answers, 'r')];
  closers.push(() => {
    fs.closeSync(writer);
    fs.closeSync(reader);
    child.kill('SIGKILL');
  });
  return (symbol, types, args) => {
    const words = args.map((arg, i) => {
      switch (types[i]) {
        case 'uint32_t':
          return `i${arg as number}`;
        case 'uint64_t':
          return `l${arg as bigint}`;
        case '_Inout_ uint8_t *':
          return `b${(arg as Buffer).toString('hex')}`;
        default:
          throw new Error(`a type of another kind: ${types[i]}`);
      }
    });
    fs.writeSync(writer, `${[symbol, ...words].join(' ')}\n`);
    const [code, ...bytes] = readLine(reader).split(' ');
    for (const arg of args) if (Buffer.isBuffer(arg)) arg.write(bytes.shift() ?? '', 'hex');
    return Number(code);
  };
}

function readLine(reader: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    const length = fs.readSync(reader, chunk);
    if (length === 0) throw new Error('the bridge ended');
    chunks.push(chunk.subarray(0, length));
    if (chunk[length - 1] === 10) return Buffer.concat(chunks).toString('utf8').trim();
  }
}
