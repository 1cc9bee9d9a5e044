import fs from 'node:fs';
import { parseArgs } from 'node:util';
import type { Labels } from '@barograph/sdk';
import { GatewayError } from './error.ts';
import type { Address } from './gateway.ts';
import type { Classing } from './route.ts';
import {
  CLASS_LABELS,
  type ClassLabel,
  type ClassLabels,
  type HeaderRule,
  type ModelRule,
  type RouteRule,
} from './route.ts';
import type { UpstreamSettings } from './upstream.ts';

/** What the gateway is to do. */
export type Command = { readonly kind: 'help' | 'version' } | { readonly kind: 'serve'; readonly settings: Settings };

/** How the gateway runs. */
export interface Settings {
  readonly upstream: UpstreamSettings;
  readonly listen: Address;
  /** Where /metrics is; undefined where it is switched off. */
  readonly metricsListen?: Address;
  /** Origin of an OTLP receiver; without one there are only /metrics. */
  readonly otlpEndpoint?: string;
  readonly otlpEveryMs: number;
  readonly serviceName: string;
  /** Labels of every request. */
  readonly labels: Labels;
  readonly classing: Classing;
  readonly asksForUsage: boolean;
  readonly requestEvents: boolean;
  readonly maxConnections: number;
  readonly measuringBytes: number;
  readonly maxEventBytes: number;
  readonly maxBodyBytes: number;
  readonly drainMs: number;
}

const MIB = 1024 * 1024;
const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  upstream: { type: 'string' },
  listen: { type: 'string', default: '127.0.0.1:7075' },
  'metrics-listen': { type: 'string', default: '127.0.0.1:9432' },
  'otlp-endpoint': { type: 'string' },
  'otlp-every': { type: 'string', default: '15' },
  'service-name': { type: 'string', default: 'barograph-gateway' },
  label: { type: 'string', multiple: true, default: [] as string[] },
  route: { type: 'string', multiple: true, default: [] as string[] },
  'label-from-header': { type: 'string', multiple: true, default: [] as string[] },
  model: { type: 'string', multiple: true, default: [] as string[] },
  'ask-usage': { type: 'boolean', default: false },
  'no-events': { type: 'boolean', default: false },
  'no-resend': { type: 'boolean', default: false },
  'connect-timeout': { type: 'string', default: '10' },
  'first-byte-timeout': { type: 'string', default: '600' },
  'idle-timeout': { type: 'string', default: '300' },
  drain: { type: 'string', default: '30' },
  'max-connections': { type: 'string', default: '10000' },
  'measuring-memory-mib': { type: 'string', default: '64' },
  'ca-file': { type: 'string' },
  'insecure-skip-verify': { type: 'boolean', default: false },
} as const;

/** Reads the command line. @throws GatewayError `bad_option`. */
export function readCommand(args: readonly string[]): Command {
  const values = parse(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const metrics = values['metrics-listen'];
  const settings: Settings = {
    upstream: {
      url: upstreamUrl(values.upstream),
      ca: values['ca-file'] === undefined ? undefined : readCa(values['ca-file']),
      insecureSkipVerify: values['insecure-skip-verify'],
      connectTimeoutMs: milliseconds('connect-timeout', values['connect-timeout']),
      firstByteTimeoutMs: milliseconds('first-byte-timeout', values['first-byte-timeout']),
      idleTimeoutMs: milliseconds('idle-timeout', values['idle-timeout']),
      resends: !values['no-resend'],
    },
    listen: address('listen', values.listen),
    metricsListen: metrics === 'off' ? undefined : address('metrics-listen', metrics),
    otlpEndpoint: values['otlp-endpoint'] === undefined ? undefined : otlpEndpoint(values['otlp-endpoint']),
    otlpEveryMs: milliseconds('otlp-every', values['otlp-every']),
    serviceName: values['service-name'],
    labels: labelsOf('label', values.label),
    classing: {
      routes: values.route.map(routeRule),
      headers: values['label-from-header'].map(headerRule),
      models: values.model.map(modelRule),
    },
    asksForUsage: values['ask-usage'],
    requestEvents: !values['no-events'],
    maxConnections: whole('max-connections', values['max-connections']),
    measuringBytes: whole('measuring-memory-mib', values['measuring-memory-mib']) * MIB,
    maxEventBytes: MIB,
    maxBodyBytes: 4 * MIB,
    drainMs: milliseconds('drain', values.drain),
  };
  return { kind: 'serve', settings };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw bad('command line', undefined, undefined, `${(error as Error).message.split('. ')[0]}; see --help`);
  }
}

function bad(where: string, got: string | undefined, accepted?: string, fix?: string): GatewayError {
  return new GatewayError({
    code: 'bad_option',
    where,
    got: got === '' ? 'nothing' : got && JSON.stringify(got.slice(0, 60)),
    accepted,
    fix,
  });
}

function upstreamUrl(text: string | undefined): URL {
  const where = '--upstream';
  if (text === undefined)
    throw bad(where, '', 'the URL that stands before /v1', 'for instance --upstream http://127.0.0.1:8000');
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw bad(where, text, 'an http:// or https:// URL');
  if (url.search !== '' || url.hash !== '' || url.username !== '')
    throw bad(where, '…', 'a URL of scheme, host, port and path', 'clients send their own credentials');
  if (/\/v1\/?$/.test(url.pathname))
    throw bad(where, text, 'the URL that stands before /v1', 'leave /v1 out, since clients send it');
  return url;
}

function otlpEndpoint(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw bad('--otlp-endpoint', text, 'the URL of an OTLP receiver over HTTP, such as http://127.0.0.1:4318');
  return url.href.replace(/\/$/, '');
}

function address(option: string, text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):(\d{1,5})$/i.exec(text);
  if (!match || Number(match[3]) > 65_535) throw bad(`--${option}`, text, 'HOST:PORT, such as 127.0.0.1:7075');
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}

function milliseconds(option: string, text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds <= 0 || seconds > 86_400)
    throw bad(`--${option}`, text, 'seconds, more than 0 and at most 86400');
  return seconds * 1000;
}

function whole(option: string, text: string): number {
  if (!/^\d{1,7}$/.test(text) || Number(text) < 1) throw bad(`--${option}`, text, 'a whole number from 1 to 9999999');
  return Number(text);
}

function readCa(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw bad('--ca-file', file, 'a file of PEM certificates', String((error as { code?: unknown }).code));
  }
}

function labelName(option: string, text: string): ClassLabel {
  const name = CLASS_LABELS.find((label) => label === text);
  if (!name) throw bad(`--${option}`, text, `one of the labels ${CLASS_LABELS.join(', ')}`);
  return name;
}

function labelsOf(option: string, pairs: readonly string[]): ClassLabels {
  const labels: { -readonly [Name in ClassLabel]?: string } = {};
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 0 || equals === pair.length - 1) throw bad(`--${option}`, pair, 'LABEL=VALUE');
    labels[labelName(option, pair.slice(0, equals))] = pair.slice(equals + 1);
  }
  return labels;
}

function routeRule(text: string): RouteRule {
  const [prefix, ...pairs] = text.split(',');
  if (!prefix.startsWith('/') || pairs.length === 0)
    throw bad('--route', text, 'PREFIX,LABEL=VALUE…, such as /v1/embeddings,prompt_class=indexing');
  return { prefix, labels: labelsOf('route', pairs) };
}

function headerRule(text: string): HeaderRule {
  const match = /^([a-z_]+)=([\w-]+):(.+)$/.exec(text);
  const values = match?.[3].split('|').filter((value) => value !== '') ?? [];
  if (!match || values.length === 0 || values.length > 64)
    throw bad('--label-from-header', text, 'LABEL=HEADER:VALUE|VALUE…, such as customer_tier=x-tier:free|pro');
  return { label: labelName('label-from-header', match[1]), header: match[2].toLowerCase(), values: new Set(values) };
}

function modelRule(text: string): ModelRule {
  const equals = text.lastIndexOf('=');
  if (equals <= 0 || equals === text.length - 1)
    throw bad('--model', text, "PATTERN=MODEL_VERSION, such as 'gpt-5*=gpt-5'; a star stands for any characters");
  return { pattern: text.slice(0, equals), version: text.slice(equals + 1) };
}
