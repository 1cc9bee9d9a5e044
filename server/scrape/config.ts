import { z } from 'zod';
import type { RelabelRule } from '../govern/index.ts';
import {
  DEFAULT_SCRAPE_PROTOCOLS,
  ESCAPING_SCHEMES,
  type EscapingScheme,
  SCRAPE_PROTOCOLS,
  type ScrapeProtocol,
} from '../wire/index.ts';
import {
  checkHttp,
  durationMs,
  type FileDiscoveryConfig,
  fileDiscovery,
  type HttpConfig,
  type HttpDiscoveryConfig,
  httpDiscovery,
  httpKeys,
  relabelRule,
  sizeBytes,
  type TargetGroup,
  targetGroup,
  text,
  unsupported,
} from './config-parts.ts';
import { hideConfigSecrets } from './hide-secrets.ts';

/** A body's bytes after decompression where `body_size_limit` says nothing or 0. */
export const DEFAULT_BODY_BYTES = 64 * 1024 * 1024;
/** Dropped targets that are remembered for the list of targets where `keep_dropped_targets` says nothing or 0. */
const DEFAULT_DROPPED_TARGETS = 1000;
const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/** What zod calls a problem that isn't one of its own. */
const CUSTOM = 'custom';

const protocols = z
  .array(z.enum(SCRAPE_PROTOCOLS as [ScrapeProtocol, ...ScrapeProtocol[]]))
  .min(1)
  .refine((list) => new Set(list).size === list.length, { message: 'has a protocol twice' });
const limit = z.int().min(0);
const escaping = z.enum(ESCAPING_SCHEMES as [EscapingScheme, ...EscapingScheme[]]);

/** What a job may say and `global` says for all of them. */
const sharedKeys = {
  scrape_interval: durationMs.optional(),
  scrape_timeout: durationMs.optional(),
  scrape_protocols: protocols.optional(),
  body_size_limit: sizeBytes.optional(),
  sample_limit: limit.optional(),
  target_limit: limit.optional(),
  label_limit: limit.optional(),
  label_name_length_limit: limit.optional(),
  label_value_length_limit: limit.optional(),
  keep_dropped_targets: limit.optional(),
  metric_name_validation_scheme: z.enum(['utf8', 'legacy']).optional(),
  metric_name_escaping_scheme: escaping.optional(),
  always_scrape_classic_histograms: z.boolean().optional(),
  scrape_native_histograms: z.boolean().optional(),
  extra_scrape_metrics: z.boolean().optional(),
  convert_classic_histograms_to_nhcb: z
    .literal(false, { error: 'is not supported; classic histograms stay as they are' })
    .optional(),
};

/** `global` of a Prometheus configuration, as far as it concerns scraping. */
const scrapeGlobal = z.strictObject(sharedKeys);
type GlobalConfig = z.infer<typeof scrapeGlobal>;

const OTHER_DISCOVERY = [
  'azure',
  'consul',
  'digitalocean',
  'dns',
  'docker',
  'dockerswarm',
  'ec2',
  'eureka',
  'gce',
  'hetzner',
  'ionos',
  'kubernetes',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'nerve',
  'nomad',
  'openstack',
  'ovhcloud',
  'puppetdb',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
].map((kind) => `${kind}_sd_configs`);

const scrapeConfig = z
  .strictObject({
    job_name: text.refine((name) => name !== '', { message: 'is empty' }),
    ...sharedKeys,
    fallback_scrape_protocol: z.enum(SCRAPE_PROTOCOLS as [ScrapeProtocol, ...ScrapeProtocol[]]).optional(),
    metrics_path: z.string().min(1).default('/metrics'),
    scheme: z.enum(['http', 'https']).default('http'),
    params: z.record(z.string(), z.array(text)).default({}),
    honor_labels: z.boolean().default(false),
    honor_timestamps: z.boolean().default(true),
    track_timestamps_staleness: z.boolean().default(false),
    enable_compression: z.boolean().default(true),
    native_histogram_bucket_limit: limit.default(0),
    native_histogram_min_bucket_factor: z.number().min(0).default(0),
    static_configs: z.array(targetGroup).default([]),
    file_sd_configs: z.array(fileDiscovery).default([]),
    http_sd_configs: z.array(httpDiscovery).default([]),
    relabel_configs: z.array(relabelRule).default([]),
    metric_relabel_configs: z.array(relabelRule).default([]),
    ...httpKeys,
    ...unsupported(OTHER_DISCOVERY, 'static_configs, file_sd_configs and http_sd_configs are'),
    ...unsupported(['scrape_failure_log_file'], 'the last error of a target is in /api/v1/targets'),
  })
  .superRefine(checkHttp);
type JobConfig = z.infer<typeof scrapeConfig>;

/** How the targets of one job are found and asked; everything has its value. Times in milliseconds, sizes in bytes. */
export interface ScrapeJob {
  readonly name: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Most wanted first. */
  readonly protocols: readonly ScrapeProtocol[];
  readonly fallbackProtocol: ScrapeProtocol | undefined;
  readonly escaping: EscapingScheme;
  /** Whether names must be letters, digits, `_` and `:`. */
  readonly legacyNames: boolean;
  readonly metricsPath: string;
  readonly scheme: 'http' | 'https';
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly enableCompression: boolean;
  readonly keepClassicHistograms: boolean;
  readonly extraMetrics: boolean;
  /** Of a body after decompression. */
  readonly bodyBytesLimit: number;
  /** 0 for none, as in the limits that follow. */
  readonly sampleLimit: number;
  readonly targetLimit: number;
  readonly labelLimit: number;
  readonly labelNameBytesLimit: number;
  readonly labelValueBytesLimit: number;
  readonly bucketLimit: number;
  /** The finest schema of native histograms that is kept; 8 for any. */
  readonly maxHistogramSchema: number;
  readonly keptDroppedTargets: number;
  readonly http: HttpConfig;
  readonly staticGroups: readonly TargetGroup[];
  readonly fileDiscoveries: readonly FileDiscoveryConfig[];
  readonly httpDiscoveries: readonly HttpDiscoveryConfig[];
  readonly relabel: readonly RelabelRule[];
  readonly metricRelabel: readonly RelabelRule[];
}

const writtenSchema = z.strictObject({
  directory: z.string().default('.'),
  global: scrapeGlobal.prefault({}),
  scrape_configs: z.array(scrapeConfig).default([]),
});

/** What is to be scraped. */
export interface ScrapeConfig {
  /** The folder that paths in it are relative to. */
  readonly directory: string;
  readonly jobs: readonly ScrapeJob[];
  /** As it was written, without secrets, for users to see. */
  readonly shown: unknown;
}

/**
 * The scraping part of the configuration: `directory` (the folder that its paths are relative to), `global` and
 * `scrape_configs` with the keys and defaults of Prometheus.
 */
export const scrapeSchema = z.unknown().transform((written, context): ScrapeConfig => {
  const result = writtenSchema.safeParse(written);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const isUnknown = issue.code === 'unrecognized_keys';
      const path = isUnknown ? [...issue.path, issue.keys[0]] : [...issue.path];
      context.addIssue({ code: CUSTOM, path, message: isUnknown ? 'an unknown key' : issue.message });
    }
    return z.NEVER;
  }
  const { directory, global, scrape_configs } = result.data;
  const names = new Set<string>();
  const jobs = scrape_configs.map((job, i) => {
    const fail = (key: string, message: string): void => {
      context.addIssue({ code: CUSTOM, message, path: ['scrape_configs', i, key] });
    };
    if (names.has(job.job_name)) fail('job_name', `is there twice: ${JSON.stringify(job.job_name)}`);
    names.add(job.job_name);
    return completeJob(job, global, fail);
  });
  return { directory, jobs, shown: hideConfigSecrets(written) };
});

function completeJob(job: JobConfig, global: GlobalConfig, fail: (key: string, message: string) => void): ScrapeJob {
  const shared = <K extends keyof typeof sharedKeys>(key: K): GlobalConfig[K] =>
    (job[key] as GlobalConfig[K]) ?? global[key];
  const { intervalMs, timeoutMs } = timesOf(job, global, fail);
  const legacyNames = shared('metric_name_validation_scheme') === 'legacy';
  const wanted = shared('scrape_protocols') ?? DEFAULT_SCRAPE_PROTOCOLS;
  // Only protobuf has native histograms, so whoever wants them asks for it first.
  const native = shared('scrape_native_histograms') === true && !wanted.includes('PrometheusProto');
  const escapingScheme = shared('metric_name_escaping_scheme') ?? (legacyNames ? 'underscores' : 'allow-utf-8');
  if (legacyNames && escapingScheme === 'allow-utf-8') {
    fail('metric_name_escaping_scheme', "can't be allow-utf-8 where the validation scheme is legacy");
  }
  return {
    name: job.job_name,
    intervalMs,
    timeoutMs,
    protocols: native ? ['PrometheusProto', ...wanted] : wanted,
    fallbackProtocol: job.fallback_scrape_protocol,
    escaping: escapingScheme,
    legacyNames,
    metricsPath: job.metrics_path,
    scheme: job.scheme,
    params: job.params,
    honorLabels: job.honor_labels,
    honorTimestamps: job.honor_timestamps,
    trackTimestampsStaleness: job.track_timestamps_staleness,
    enableCompression: job.enable_compression,
    keepClassicHistograms: shared('always_scrape_classic_histograms') ?? false,
    extraMetrics: shared('extra_scrape_metrics') ?? false,
    bodyBytesLimit: shared('body_size_limit') || DEFAULT_BODY_BYTES,
    sampleLimit: shared('sample_limit') ?? 0,
    targetLimit: shared('target_limit') ?? 0,
    labelLimit: shared('label_limit') ?? 0,
    labelNameBytesLimit: shared('label_name_length_limit') ?? 0,
    labelValueBytesLimit: shared('label_value_length_limit') ?? 0,
    bucketLimit: job.native_histogram_bucket_limit,
    maxHistogramSchema: maxSchema(job.native_histogram_min_bucket_factor),
    keptDroppedTargets: shared('keep_dropped_targets') || DEFAULT_DROPPED_TARGETS,
    http: job,
    staticGroups: job.static_configs,
    fileDiscoveries: job.file_sd_configs,
    httpDiscoveries: job.http_sd_configs,
    relabel: job.relabel_configs,
    metricRelabel: job.metric_relabel_configs,
  };
}

/** The interval and timeout of a job: its own, the global ones, and a timeout that is never longer than the interval. */
function timesOf(
  job: JobConfig,
  global: GlobalConfig,
  fail: (key: string, message: string) => void,
): { intervalMs: number; timeoutMs: number } {
  const globalInterval = global.scrape_interval || DEFAULT_INTERVAL_MS;
  const globalTimeout = global.scrape_timeout || Math.min(DEFAULT_TIMEOUT_MS, globalInterval);
  if (globalTimeout > globalInterval) fail('scrape_timeout', 'of global is longer than its scrape_interval');
  const intervalMs = job.scrape_interval || globalInterval;
  const timeoutMs = job.scrape_timeout || Math.min(globalTimeout, intervalMs);
  if (timeoutMs > intervalMs) fail('scrape_timeout', 'is longer than the scrape_interval');
  return { intervalMs, timeoutMs };
}

/** The schema that Prometheus picks for a factor by which buckets must grow, −4 to 8. Source: prometheus scrape. */
function maxSchema(factor: number): number {
  if (factor <= 1) return 8;
  return Math.min(8, Math.max(-4, 0 - Math.floor(Math.log2(Math.log2(factor)))));
}
