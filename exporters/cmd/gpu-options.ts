import os from 'node:os';
import { parseArgs } from 'node:util';
import { LABEL_NAMES } from '../generated/conventions.ts';
import { ExporterError, KERNEL_LOG, POD_RESOURCES_SOCKET, SOURCE_NAMES, type SourceName } from '../gpu/index.ts';

/** What the command line asks for. */
export interface GpuOptions {
  readonly mode: 'serve' | 'once' | 'check' | 'help' | 'version' | 'print-dcgm-counters';
  readonly format: 'text' | 'openmetrics' | 'otlp';
  /** Sources that are asked for by name; all where empty. */
  readonly sources: readonly SourceName[];
  readonly dcgmUrl: string;
  readonly amdUrl: string;
  readonly nvidiaSmi: string;
  readonly amdSmi: string;
  readonly nvmlLibrary: string | undefined;
  readonly kernelLog: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly silentAfterMs: number;
  readonly podResources: string | undefined;
  readonly proc: string | undefined;
  readonly deployment: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly otlpUrl: string | undefined;
  readonly otlpHeaders: Readonly<Record<string, string>>;
  readonly otlpIntervalMs: number;
}

const text = { type: 'string' } as const;
const list = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;
const FLAGS = {
  ...{
    source: list,
    'dcgm-url': text,
    'amd-url': text,
    'nvidia-smi': text,
    'amd-smi': text,
    'nvml-library': text,
    'kernel-log': text,
  },
  ...{ interval: text, timeout: text, 'silent-after': text, 'pod-resources': text, proc: text, deployment: text },
  ...{ listen: text, node: text, label: list, 'otlp-endpoint': text, 'otlp-header': list, 'otlp-interval': text },
  ...{ once: flag, check: flag, format: text, 'print-dcgm-counters': flag, help: flag, version: flag },
} as const;

/**
 * Reads the command line.
 *
 * @throws ExporterError `usage` that names the flag, what it got and what it accepts.
 */
export function parseGpuOptions(argv: readonly string[]): GpuOptions {
  if (argv.includes('-h')) return parseGpuOptions(['--help']);
  const values = parseFlags(argv);
  const { host, port } = parseListen(values.listen ?? '127.0.0.1:9836');
  return {
    mode: modeOf(values),
    format: oneOf('--format', values.format ?? 'text', ['text', 'openmetrics', 'otlp'] as const),
    sources: (values.source ?? []).map((name) => oneOf('--source', name, SOURCE_NAMES)),
    dcgmUrl: parseUrl('--dcgm-url', values['dcgm-url'] ?? 'http://127.0.0.1:9400/metrics').href,
    amdUrl: parseUrl('--amd-url', values['amd-url'] ?? 'http://127.0.0.1:5000/metrics').href,
    nvidiaSmi: values['nvidia-smi'] ?? 'nvidia-smi',
    amdSmi: values['amd-smi'] ?? 'amd-smi',
    nvmlLibrary: values['nvml-library'],
    kernelLog: values['kernel-log'] === '' ? undefined : (values['kernel-log'] ?? KERNEL_LOG),
    intervalMs: parseTime('--interval', values.interval ?? '5s', 1000, 300_000),
    timeoutMs: parseTime('--timeout', values.timeout ?? '10s', 100, 60_000),
    silentAfterMs: parseTime('--silent-after', values['silent-after'] ?? '2m', 10_000, 86_400_000),
    podResources: values['pod-resources'] === '' ? undefined : (values['pod-resources'] ?? POD_RESOURCES_SOCKET),
    proc: values.proc === '' ? undefined : (values.proc ?? '/proc'),
    deployment: values.deployment,
    host,
    port,
    node: values.node ?? os.hostname(),
    labels: parseLabels(values.label ?? []),
    otlpUrl: values['otlp-endpoint'] === undefined ? undefined : parseOtlpUrl(values['otlp-endpoint']),
    otlpHeaders: Object.fromEntries(
      (values['otlp-header'] ?? []).map((pair) => parsePair('--otlp-header', pair, false)),
    ),
    otlpIntervalMs: parseTime('--otlp-interval', values['otlp-interval'] ?? '15s', 1000, 300_000),
  };
}

type Values = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>['values'];

function parseFlags(argv: readonly string[]): Values {
  try {
    return parseArgs({ args: [...argv], options: FLAGS }).values;
  } catch (cause) {
    // What Node says of a flag names it and what it lacks.
    const got = (cause as Error).message.split('. ')[0].slice(0, 120);
    throw usage('command line', got, `--${Object.keys(FLAGS).join(', --')}`, 'see --help');
  }
}

function modeOf(values: Values): GpuOptions['mode'] {
  if (values.help) return 'help';
  if (values.version) return 'version';
  if (values['print-dcgm-counters']) return 'print-dcgm-counters';
  if (values.check) return 'check';
  return values.once ? 'once' : 'serve';
}

function usage(where: string, got: string, accepted: string, fix?: string): ExporterError {
  return new ExporterError({ code: 'usage', where, got, accepted, fix });
}

function oneOf<T extends string>(where: string, value: string, accepted: readonly T[]): T {
  const found = accepted.find((known) => known === value);
  if (found === undefined) throw usage(where, JSON.stringify(value.slice(0, 40)), accepted.join(', '));
  return found;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function parseTime(where: string, value: string, leastMs: number, mostMs: number): number {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(value);
  const ms = match ? Number(match[1]) * UNITS[match[2]] : Number.NaN;
  if (!(ms >= leastMs && ms <= mostMs))
    throw usage(where, JSON.stringify(value.slice(0, 40)), `a time from ${leastMs}ms to ${mostMs}ms, such as 5s or 2m`);
  return ms;
}

function parseUrl(where: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw usage(where, JSON.stringify(value.slice(0, 80)), 'a URL with http or https');
  return url;
}

/** An endpoint without a path gets OTLP's own, as the OpenTelemetry SDKs do it. */
function parseOtlpUrl(value: string): string {
  const url = parseUrl('--otlp-endpoint', value);
  if (url.pathname === '/') url.pathname = '/v1/metrics';
  return url.href;
}

function parseListen(value: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(value);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw usage('--listen', JSON.stringify(value.slice(0, 80)), 'HOST:PORT, such as 0.0.0.0:9836');
  return { host: match[1] ?? match[2], port };
}

function parsePair(where: string, pair: string, isShown: boolean): [string, string] {
  const at = pair.indexOf('=');
  // A header may hold a token, which is shown nowhere.
  if (at <= 0) throw usage(where, isShown ? JSON.stringify(pair.slice(0, 40)) : 'a pair without =', 'NAME=VALUE');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

const OWN_LABELS = new Set(['gpu', 'uuid', 'node', 'gpu_type', 'device', 'kind', 'reason', 'xid', 'le', 'quantile']);

function parseLabels(pairs: readonly string[]): Record<string, string> {
  const accepted = LABEL_NAMES.filter((name) => !OWN_LABELS.has(name));
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, value] = parsePair('--label', pair, true);
      // Another label would be removed at ingestion, so that its author would look for it in vain.
      if (!accepted.includes(name)) throw usage('--label', JSON.stringify(name.slice(0, 40)), accepted.join(', '));
      return [name, value];
    }),
  );
}
