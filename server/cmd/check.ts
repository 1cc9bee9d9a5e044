import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { CHECK_KINDS, checkFile, collectRecorded, type FileReport, FORMATS, printReports } from '../check/index.ts';
import { readYaml } from '../config/index.ts';
import { createGovernor } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { readPolicy } from './policy-source.ts';
import { VERSION } from './version.ts';

const FETCH_MS = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;

const FLAGS = {
  policy: { type: 'string' },
  config: { type: 'string' },
  format: { type: 'string', default: 'text' },
  kind: { type: 'string' },
  targets: { type: 'string', default: '1' },
  'fail-on': { type: 'string', default: 'error' },
} as const;

/** `barograph check`. @returns The exit code: 1 where there are problems. */
export async function check(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  const format = oneOf('--format', values.format, FORMATS);
  const kind = values.kind === undefined ? undefined : oneOf('--kind', values.kind, CHECK_KINDS);
  const failOn = oneOf('--fail-on', values['fail-on'], ['error', 'warning'] as const);
  const targets = wholeOf('--targets', values.targets);
  if (positionals.length === 0) throw usage('check', 'no file', 'files or URLs; see barograph check --help');
  const { changes } = readPolicy({ policy: values.policy, config: values.config });
  const inputs = await Promise.all(positionals.map(read));
  const recorded = recordedIn(inputs);
  const reports: FileReport[] = inputs.map(({ file, bytes, contentType }) =>
    checkFile({ file, bytes, kind, contentType, targets, recorded, governor: createGovernor(changes) }),
  );
  process.stdout.write(printReports(reports, format, VERSION));
  const bad = failOn === 'warning' ? ['error', 'warning'] : ['error'];
  return reports.some(({ findings }) => findings.some(({ level }) => bad.includes(level))) ? 1 : 0;
}

interface Input {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
}

async function read(file: string): Promise<Input> {
  if (file === '-') return { file: 'standard input', bytes: fs.readFileSync(0), contentType: undefined };
  try {
    if (!/^https?:\/\//.test(file)) return { file, bytes: fs.readFileSync(file), contentType: undefined };
    const headers = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5' };
    const response = await fetch(file, { headers, signal: AbortSignal.timeout(FETCH_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const bytes = await bodyOf(response);
    return { file, bytes, contentType: response.headers.get('content-type') ?? undefined };
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    throw usage(file, `something that can't be read (${code ?? message})`, 'a file or a URL');
  }
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** What recording rules of any of the files make; dashboards and other rules ask for it. */
function recordedIn(inputs: readonly Input[]): Set<string> {
  const names = new Set<string>();
  for (const { file, bytes } of inputs) {
    const text = new TextDecoder().decode(bytes);
    if (!/^groups:/m.test(text)) continue;
    try {
      for (const name of collectRecorded(readYaml(text, file))) names.add(name);
    } catch (error) {
      // A file that can't be read is a finding of its own.
      if (!(error instanceof BarographError)) throw error;
    }
  }
  return names;
}

function oneOf<T extends string>(flag: string, text: string, accepted: readonly T[]): T {
  const found = accepted.find((value) => value === text);
  if (found === undefined) throw usage(`check › ${flag}`, JSON.stringify(text.slice(0, 40)), accepted.join(', '));
  return found;
}

function wholeOf(flag: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw usage(`check › ${flag}`, JSON.stringify(text.slice(0, 40)), 'a whole number from 1');
}

function usage(where: string, got: string, accepted: string): BarographError {
  return new BarographError({ code: 'usage', status: 400, where, got, accepted });
}
