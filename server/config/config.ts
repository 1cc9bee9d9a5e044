import { z } from 'zod';
import { canarySchema } from '../canary/index.ts';
import { type GovernConfig, parseGovern } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { scrapeSchema } from '../scrape/index.ts';
import { type RetentionSettings, retentionSchema, shownRetention } from '../store/index.ts';

const tenantsSchema = z
  .strictObject({
    /** Whether each request must name its tenant in X-Scope-OrgID; each has a folder, limits and policy of its own. */
    enabled: z.boolean().default(false),
    /** The tenants that there may be; where nobody is named, whoever writes first. */
    allowed: z.array(z.string()).default([]),
    /** Tenants at most: each costs a store's and a query pool's memory. */
    max: z.int().min(1).max(256).default(8),
    /** The tenant that `scrape` writes into. */
    scrape: z.string().default('anonymous'),
    /** By tenant, what is other than everybody's; their policies stand in the policy. */
    overrides: z.record(z.string(), z.strictObject({ retention: z.unknown().optional() })).default({}),
  })
  .prefault({});

/** Everything that can be set, with its default. Each room owns its part. */
export const configSchema = z.strictObject({
  /** The data directory. */
  data: z.string().default('barograph-data'),
  server: z
    .strictObject({
      /** The address to listen on. Anything but a loopback address needs `token`. */
      host: z.string().default('127.0.0.1'),
      /** The port of the pane, the APIs and the receivers over HTTP. 0 takes a free one. */
      port: z.int().min(0).max(65535).default(7070),
      /** The port of OTLP over HTTP, which is received on `port` too. 0 takes a free one. */
      otlp_http_port: z.int().min(0).max(65535).default(4318),
      /** The port of OTLP over gRPC. 0 takes a free one. */
      otlp_grpc_port: z.int().min(0).max(65535).default(4317),
      /** A bearer token that every request must carry; required beyond loopback. */
      token: z.string().min(16).optional(),
      /** Bytes of a request's body as it arrives, at most. */
      max_body_bytes: z
        .int()
        .min(1024)
        .default(64 * 1024 * 1024),
    })
    .prefault({}),
  store: z
    .strictObject({
      /** Memory that DuckDB may use, MiB. */
      memory_mib: z.int().min(64).default(1024),
      /** Threads that DuckDB may use. */
      threads: z.int().min(1).max(256).default(2),
    })
    .prefault({}),
  /** What is kept, by signal and level, for how long and how much. */
  retention: retentionSchema.prefault({}),
  query: z
    .strictObject({
      /** Worker threads that answer queries. */
      threads: z.int().min(1).max(64).default(2),
      /** Queries in flight or waiting, over all threads. */
      max_pending: z.int().min(1).default(256),
      /** Milliseconds that one query may take, the time in which it waits included. */
      timeout_ms: z.int().min(1).max(86_400_000).default(120_000),
      /** Samples that one PromQL query may read, over all its selectors; 16 bytes each, one query a thread at a time. */
      max_samples: z.int().min(1000).default(50_000_000),
      /** Series that one selector may match. */
      max_series: z.int().min(100).default(1_000_000),
    })
    .prefault({}),
  tenants: tenantsSchema,
  /** What storage costs, for the cost of each team, service and so on in money. */
  cost: z
    .strictObject({
      /** The price of keeping one GiB for a month. */
      per_gib_month: z.number().positive(),
      /** Its unit, such as EUR. */
      currency: z.string().regex(/^[A-Za-z$€£¥]{1,8}$/, 'expected a currency such as EUR'),
    })
    .optional(),
  /** What is scraped: `global` and `scrape_configs` as in a Prometheus configuration. */
  scrape: scrapeSchema.prefault({}),
  /** The content canary. */
  canary: canarySchema.prefault({}),
  /** The policy, or `policy_file`; checked by its own room. */
  govern: z.unknown().optional(),
  log_level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
});

/** A complete configuration. */
export type Config = Omit<Parsed, 'govern' | 'tenants'> & {
  readonly govern: GovernConfig;
  readonly tenants: Omit<Parsed['tenants'], 'overrides'> & {
    readonly overrides: Readonly<Record<string, { readonly retention: RetentionSettings } | undefined>>;
  };
};
type Parsed = z.infer<typeof configSchema>;

/** The configuration with its secrets replaced, for everyone who may read the API. */
export function withoutSecrets(config: Config): Readonly<Record<string, unknown>> {
  const { token } = config.server;
  const server = { ...config.server, token: token === undefined ? undefined : '<secret>' };
  const retention = shownRetention(config.retention);
  const overrides = Object.fromEntries(
    Object.entries(config.tenants.overrides).map(([name, own]) => [
      name,
      own && { retention: shownRetention(own.retention) },
    ]),
  );
  const tenants = { ...config.tenants, overrides };
  return { ...config, server, retention, tenants, scrape: config.scrape.shown, govern: config.govern.shown };
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

type PlaceOf = (path: readonly PropertyKey[]) => string | undefined;

/**
 * Completes and checks a configuration.
 * @param placeOf says where a key was written, such as `barograph.yaml:12`; `undefined` where it is in no file
 * @throws BarographError `bad_config`, `bad_policy` naming the key.
 */
export function parseConfig(input: unknown, placeOf: PlaceOf = () => undefined): Config {
  const parsed = checked(configSchema, input, [], placeOf);
  const govern = parseGovern(parsed.govern, (path) => placeOf(['govern', ...path]));
  const tenants = { ...parsed.tenants, overrides: tenantOverrides(parsed, input, placeOf) };
  const config: Config = { ...parsed, govern, tenants };
  if (!LOOPBACK.test(config.server.host) && config.server.token === undefined) {
    throw new BarographError({
      code: 'bad_config',
      status: 500,
      where: 'configuration › server.host',
      got: `${config.server.host} without server.token`,
      accepted: 'a loopback address, or a token',
      fix: 'set server.token (at least 16 characters), so that nobody on the network reads or writes without it',
    });
  }
  return config;
}

/** What a schema makes of a value. @throws BarographError `bad_config` naming the key. */
function checked<T extends z.ZodType>(
  schema: T,
  value: unknown,
  at: readonly PropertyKey[],
  placeOf: PlaceOf,
): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = [...at, ...issue.path, ...(issue.code === 'unrecognized_keys' ? [issue.keys[0]] : [])];
  throw new BarographError({
    code: 'bad_config',
    status: 500,
    where: `${placeOf(path) ?? 'configuration'} › ${path.map(String).join('.')}`,
    got: issue.message,
    fix: 'docs/reference/configuration.md lists every key',
  });
}

/** The retention of tenants: everybody's, with what is other for them. */
function tenantOverrides({ tenants }: Parsed, input: unknown, placeOf: PlaceOf): Config['tenants']['overrides'] {
  const { retention: base = {} } = (input ?? {}) as { readonly retention?: object };
  return Object.fromEntries(
    Object.entries(tenants.overrides).flatMap(([name, { retention }]) => {
      if (retention === undefined) return [];
      const path = ['tenants', 'overrides', name, 'retention'];
      const isMapping = typeof retention === 'object' && retention !== null;
      const written = isMapping ? { ...base, ...retention } : retention;
      return [[name, { retention: checked(retentionSchema, written, path, placeOf) }]];
    }),
  );
}
