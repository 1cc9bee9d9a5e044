import fs from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { COUNT_AT, type CountAt } from './count-at.ts';
import type { Discovery } from './discovery/discovery.ts';
import { staticDiscovery } from './discovery/discovery.ts';
import { dnsDiscovery } from './discovery/dns.ts';
import { fileDiscovery } from './discovery/file.ts';
import { httpDiscovery } from './discovery/http.ts';
import { kubernetesDiscovery } from './discovery/kubernetes.ts';
import { ExporterError } from './error.ts';
import type { ExpositionFormat } from './render.ts';
import type { ScrapeOptions } from './scraper.ts';
import { makeTarget, type Target } from './target.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What the exporter is to do. */
export type Command =
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'check'; readonly target: Target; readonly scrape: ScrapeOptions }
  | { readonly kind: 'once' | 'serve'; readonly settings: Settings };

/** How a fleet is found, asked and shown. */
export interface Settings {
  readonly discoveries: readonly Discovery[];
  readonly discoverEveryMs: number;
  readonly scrape: ScrapeOptions;
  readonly countAt: CountAt;
  readonly listen: { readonly host: string; readonly port: number };
  readonly format: ExpositionFormat;
  readonly otlp?: {
    readonly endpoint: URL;
    readonly everyMs: number;
    readonly headers: Readonly<Record<string, string>>;
  };
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  check: { type: 'string' },
  once: { type: 'boolean' },
  format: { type: 'string', default: 'text' },
  target: { type: 'string', multiple: true, default: [] as string[] },
  'targets-file': { type: 'string', multiple: true, default: [] as string[] },
  'targets-url': { type: 'string', multiple: true, default: [] as string[] },
  dns: { type: 'string', multiple: true, default: [] as string[] },
  kubernetes: { type: 'boolean' },
  'kubernetes-namespace': { type: 'string', multiple: true, default: [] as string[] },
  'kubernetes-selector': { type: 'string' },
  'kubernetes-api': { type: 'string' },
  'kubernetes-token-file': { type: 'string', default: `${SERVICE_ACCOUNT}/token` },
  'kubernetes-ca-file': { type: 'string' },
  'discover-every': { type: 'string', default: '30' },
  timeout: { type: 'string', default: '5' },
  'max-body-bytes': { type: 'string', default: String(16 * 1024 * 1024) },
  'bearer-token-file': { type: 'string' },
  'ca-file': { type: 'string' },
  'insecure-skip-verify': { type: 'boolean', default: false },
  'count-at': { type: 'string', default: 'auto' },
  listen: { type: 'string', default: '127.0.0.1:9431' },
  'otlp-endpoint': { type: 'string' },
  'otlp-every': { type: 'string', default: '15' },
  'otlp-header': { type: 'string', multiple: true, default: [] as string[] },
} as const;

/**
 * Reads the command line.
 * @param environment for the address of the cluster's API that Kubernetes gives pods
 * @throws ExporterError `bad_option`, `bad_target`, and what reading a named file throws.
 */
export async function readCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Command> {
  const { values, positionals } = parse(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const scrape = await scrapeOptions(values);
  if (values.check !== undefined) {
    return { kind: 'check', target: makeTarget(values.check, {}, '--check'), scrape };
  }
  const targets = [...values.target, ...positionals].map(namedTarget);
  const discoveries: Discovery[] = [
    ...(targets.length > 0 ? [staticDiscovery(targets)] : []),
    ...values['targets-file'].map(fileDiscovery),
    ...values['targets-url'].map((url) => httpDiscovery(urlOf('--targets-url', url))),
    ...values.dns.map((name) => dnsDiscovery(name)),
    ...(values.kubernetes || values['kubernetes-api'] !== undefined ? [kubernetesOf(values, environment)] : []),
  ];
  if (discoveries.length === 0) {
    throw badOption('targets', 'none', '--target, --targets-file, --targets-url, --dns or --kubernetes; see --help');
  }
  const countAt = COUNT_AT.find((one) => one === values['count-at']);
  if (countAt === undefined) throw badOption('--count-at', values['count-at'], COUNT_AT.join(' | '));
  const { format } = values;
  if (format !== 'text' && format !== 'openmetrics') throw badOption('--format', format, 'text | openmetrics');
  const settings: Settings = {
    discoveries,
    discoverEveryMs: secondsOf('--discover-every', values['discover-every'], 1, 86_400),
    scrape,
    countAt,
    listen: listenOf(values.listen),
    format,
    ...otlpOf(values),
  };
  return { kind: values.once ? 'once' : 'serve', settings };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new ExporterError({
      code: 'bad_option',
      where: 'command line',
      got: (error as Error).message.split('.')[0],
      fix: 'see --help',
    });
  }
}

type Values = ReturnType<typeof parse>['values'];

/** `host:port[/path][,label=value…]` */
function namedTarget(text: string): Target {
  const [address, ...pairs] = text.split(',');
  const labels = pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw badOption('--target', pair, 'host:port,deployment=chat,region=eu');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return makeTarget(address, Object.fromEntries(labels), '--target');
}

async function scrapeOptions(values: Values): Promise<ScrapeOptions> {
  const tokenFile = values['bearer-token-file'];
  if (tokenFile !== undefined) await readable('--bearer-token-file', tokenFile);
  const caFile = values['ca-file'];
  return {
    timeoutMs: secondsOf('--timeout', values.timeout, 0.1, 60),
    maxBodyBytes: numberOf('--max-body-bytes', values['max-body-bytes'], 1024, 256 * 1024 * 1024),
    insecureSkipVerify: values['insecure-skip-verify'],
    ca: caFile === undefined ? undefined : await readable('--ca-file', caFile),
    bearerToken: tokenFile === undefined ? undefined : () => fs.readFile(tokenFile, 'utf8').then((text) => text.trim()),
  };
}

async function readable(option: string, file: string): Promise<string> {
  return fs.readFile(file, 'utf8').catch((error: { code?: string }) => {
    throw badOption(option, `${file} (${error.code})`, 'a file that can be read');
  });
}

function kubernetesOf(values: Values, environment: Readonly<Record<string, string | undefined>>): Discovery {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  const inCluster = host === undefined ? undefined : `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const api = values['kubernetes-api'] ?? inCluster;
  if (api === undefined)
    throw badOption('--kubernetes', 'a program outside a cluster', 'a pod, or --kubernetes-api http://127.0.0.1:8001');
  const caFile = values['kubernetes-ca-file'] ?? (api === inCluster ? `${SERVICE_ACCOUNT}/ca.crt` : undefined);
  return kubernetesDiscovery({
    apiUrl: urlOf('--kubernetes-api', api),
    tokenFile: values['kubernetes-token-file'],
    caFile,
    namespaces: values['kubernetes-namespace'],
    labelSelector: values['kubernetes-selector'],
  });
}

function otlpOf(values: Values): Pick<Settings, 'otlp'> {
  const endpoint = values['otlp-endpoint'];
  if (endpoint === undefined) return {};
  const headers = values['otlp-header'].map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw badOption('--otlp-header', 'no name and value', 'name=value');
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return {
    otlp: {
      endpoint: urlOf('--otlp-endpoint', endpoint),
      everyMs: secondsOf('--otlp-every', values['otlp-every'], 1, 3600),
      headers: Object.fromEntries(headers),
    },
  };
}

function listenOf(text: string): Settings['listen'] {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw badOption('--listen', text, '127.0.0.1:9431, 0.0.0.0:9431, [::]:9431');
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : match[2]), port };
}

function urlOf(option: string, text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text);
  throw badOption(option, text, 'a URL that begins with http:// or https://');
}

/** Seconds on the command line, milliseconds inside; both bounds inclusive, in seconds. */
function secondsOf(option: string, text: string, least: number, most: number): number {
  return numberOf(option, text.replace(/s$/, ''), least, most) * 1000;
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text === '' || !(value >= least && value <= most)) throw badOption(option, text, `${least} to ${most}`);
  return value;
}

function badOption(where: string, got: string, accepted: string): ExporterError {
  return new ExporterError({ code: 'bad_option', where, got: JSON.stringify(got.slice(0, 200)), accepted });
}
