import os from 'node:os';
import {
  oneOf,
  parseFlags,
  parseListen,
  parseOtlpUrl,
  parsePair,
  parseTime,
  parseUrl,
  usageError,
} from '../flags/index.ts';
import { LABEL_NAMES } from '../generated/conventions.ts';
import { KERNEL_LOG, POD_RESOURCES_SOCKET, SOURCE_NAMES, type SourceName } from '../gpu/index.ts';

/** What the command line asks for. */
export interface GpuOptions {
  readonly mode: 'serve' | 'once' | 'check' | 'help' | 'version' | 'print-dcgm-counters';
  readonly format: 'text' | 'openmetrics' | 'otlp';
  /** Sources that are asked for by name; all where empty. */
  readonly sources: readonly SourceName[];
  readonly dcgmUrl: string;
  readonly dcgmi: string;
  readonly dcgmHost: string | undefined;
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
  readonly otlpUrl: URL | undefined;
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
    dcgmi: text,
    'dcgm-host': text,
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
  const { values } = parseFlags(argv, FLAGS, false);
  const { host, port } = parseListen('--listen', values.listen ?? '127.0.0.1:9836');
  return {
    mode: modeOf(values),
    format: oneOf('--format', values.format ?? 'text', ['text', 'openmetrics', 'otlp'] as const),
    sources: (values.source ?? []).map((name) => oneOf('--source', name, SOURCE_NAMES)),
    dcgmUrl: parseUrl('--dcgm-url', values['dcgm-url'] ?? 'http://127.0.0.1:9400/metrics').href,
    dcgmi: values.dcgmi ?? 'dcgmi',
    dcgmHost: values['dcgm-host'] === undefined ? undefined : parseHost('--dcgm-host', values['dcgm-host']),
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
    otlpUrl:
      values['otlp-endpoint'] === undefined ? undefined : parseOtlpUrl('--otlp-endpoint', values['otlp-endpoint']),
    otlpHeaders: Object.fromEntries(
      (values['otlp-header'] ?? []).map((pair) => parsePair('--otlp-header', pair, false)),
    ),
    otlpIntervalMs: parseTime('--otlp-interval', values['otlp-interval'] ?? '15s', 1000, 300_000),
  };
}

type Values = ReturnType<typeof parseFlags<typeof FLAGS>>['values'];

function modeOf(values: Values): GpuOptions['mode'] {
  if (values.help) return 'help';
  if (values.version) return 'version';
  if (values['print-dcgm-counters']) return 'print-dcgm-counters';
  if (values.check) return 'check';
  return values.once ? 'once' : 'serve';
}

/** An address for `dcgmi --host`; nothing that it could take for another flag. */
function parseHost(where: string, value: string): string {
  if (!/^[\w[][\w.:\]-]{0,252}$/.test(value))
    throw usageError(where, JSON.stringify(value.slice(0, 80)), 'HOST or HOST:PORT');
  return value;
}

const OWN_LABELS = new Set(['gpu', 'uuid', 'node', 'gpu_type', 'device', 'kind', 'reason', 'xid', 'le', 'quantile']);

function parseLabels(pairs: readonly string[]): Record<string, string> {
  const accepted = LABEL_NAMES.filter((name) => !OWN_LABELS.has(name));
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, value] = parsePair('--label', pair, true);
      // Another label would be removed at ingestion, so that its author would look for it in vain.
      if (!accepted.includes(name)) throw usageError('--label', JSON.stringify(name.slice(0, 40)), accepted.join(', '));
      return [name, value];
    }),
  );
}
