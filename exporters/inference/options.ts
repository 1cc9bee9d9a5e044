import fs from 'node:fs/promises';
import type { ExpositionFormat } from '../exposition/index.ts';
import {
  oneOf,
  parseCount,
  parseFlags,
  parseListen,
  parseOtlpUrl,
  parsePair,
  parseTime,
  parseUrl,
  usageError,
} from '../flags/index.ts';
import type { OtlpTarget } from '../otlp/index.ts';
import { COUNT_AT, type CountAt } from './count-at.ts';
import type { Discovery } from './discovery/discovery.ts';
import { staticDiscovery } from './discovery/discovery.ts';
import { dnsDiscovery } from './discovery/dns.ts';
import { fileDiscovery } from './discovery/file.ts';
import { httpDiscovery } from './discovery/http.ts';
import { kubernetesDiscovery } from './discovery/kubernetes.ts';
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
  readonly otlp?: { readonly target: OtlpTarget; readonly everyMs: number };
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
  'discover-interval': { type: 'string', default: '30s' },
  timeout: { type: 'string', default: '5s' },
  'max-body-bytes': { type: 'string', default: String(16 * 1024 * 1024) },
  'bearer-token-file': { type: 'string' },
  'ca-file': { type: 'string' },
  'insecure-skip-verify': { type: 'boolean', default: false },
  'count-at': { type: 'string', default: 'auto' },
  listen: { type: 'string', default: '127.0.0.1:9431' },
  'otlp-endpoint': { type: 'string' },
  'otlp-interval': { type: 'string', default: '15s' },
  'otlp-header': { type: 'string', multiple: true, default: [] as string[] },
} as const;

/**
 * Reads the command line.
 * @param environment for the address of the cluster's API that Kubernetes gives pods
 * @throws ExporterError `usage`, `bad_target`, and what reading a named file throws.
 */
export async function readCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Command> {
  const { values, positionals } = parseFlags(args, OPTIONS, true);
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
    ...values['targets-url'].map((url) => httpDiscovery(parseUrl('--targets-url', url))),
    ...values.dns.map((name) => dnsDiscovery(name)),
    ...(values.kubernetes || values['kubernetes-api'] !== undefined ? [kubernetesOf(values, environment)] : []),
  ];
  if (discoveries.length === 0) {
    throw usageError('targets', 'none', '--target, --targets-file, --targets-url, --dns or --kubernetes; see --help');
  }
  const settings: Settings = {
    discoveries,
    discoverEveryMs: parseTime('--discover-interval', values['discover-interval'], 1000, 86_400_000),
    scrape,
    countAt: oneOf('--count-at', values['count-at'], COUNT_AT),
    listen: parseListen('--listen', values.listen),
    format: oneOf('--format', values.format, ['text', 'openmetrics'] as const),
    ...otlpOf(values),
  };
  return { kind: values.once ? 'once' : 'serve', settings };
}

type Values = ReturnType<typeof parseFlags<typeof OPTIONS>>['values'];

/** `host:port[/path][,label=value…]` */
function namedTarget(text: string): Target {
  const [address, ...pairs] = text.split(',');
  const labels = pairs.map((pair) => parsePair('--target', pair, true));
  return makeTarget(address, Object.fromEntries(labels), '--target');
}

async function scrapeOptions(values: Values): Promise<ScrapeOptions> {
  const tokenFile = values['bearer-token-file'];
  if (tokenFile !== undefined) await readable('--bearer-token-file', tokenFile);
  const caFile = values['ca-file'];
  return {
    timeoutMs: parseTime('--timeout', values.timeout, 100, 60_000),
    maxBodyBytes: parseCount('--max-body-bytes', values['max-body-bytes'], 1024, 256 * 1024 * 1024),
    insecureSkipVerify: values['insecure-skip-verify'],
    ca: caFile === undefined ? undefined : await readable('--ca-file', caFile),
    bearerToken: tokenFile === undefined ? undefined : () => fs.readFile(tokenFile, 'utf8').then((text) => text.trim()),
  };
}

async function readable(option: string, file: string): Promise<string> {
  return fs.readFile(file, 'utf8').catch((error: { code?: string }) => {
    throw usageError(option, `${file} (${error.code})`, 'a file that can be read');
  });
}

function kubernetesOf(values: Values, environment: Readonly<Record<string, string | undefined>>): Discovery {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  const inCluster = host === undefined ? undefined : `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const api = values['kubernetes-api'] ?? inCluster;
  if (api === undefined)
    throw usageError('--kubernetes', 'a program outside a cluster', 'a pod, or --kubernetes-api http://127.0.0.1:8001');
  const caFile = values['kubernetes-ca-file'] ?? (api === inCluster ? `${SERVICE_ACCOUNT}/ca.crt` : undefined);
  return kubernetesDiscovery({
    apiUrl: parseUrl('--kubernetes-api', api),
    tokenFile: values['kubernetes-token-file'],
    caFile,
    namespaces: values['kubernetes-namespace'],
    labelSelector: values['kubernetes-selector'],
  });
}

function otlpOf(values: Values): Pick<Settings, 'otlp'> {
  const endpoint = values['otlp-endpoint'];
  if (endpoint === undefined) return {};
  const headers = values['otlp-header'].map((text) => parsePair('--otlp-header', text, false));
  return {
    otlp: {
      target: { url: parseOtlpUrl('--otlp-endpoint', endpoint), headers: Object.fromEntries(headers) },
      everyMs: parseTime('--otlp-interval', values['otlp-interval'], 1000, 3_600_000),
    },
  };
}
