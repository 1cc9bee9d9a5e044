import { z } from 'zod';
import { compileRelabel, RELABEL_ACTIONS } from '../govern/index.ts';
import { parseDurationMs } from '../model/index.ts';

/** A duration such as `15s`, which becomes milliseconds. */
export const durationMs = z.string().transform((text, context) => {
  try {
    return parseDurationMs(text);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([KMGTPE])(?:iB|B)|B)?$/;
const SIZE_UNITS = 'KMGTPE';

/** A size such as `10MB`, which becomes bytes; the units are powers of 1024, as in Prometheus. */
export const sizeBytes = z.union([z.int().min(0), z.string()]).transform((size, context) => {
  const match = SIZE.exec(String(size));
  if (!match) {
    context.addIssue('expected a size such as 10MB (units B, KB, MB, GB; KiB and KB are equal)');
    return z.NEVER;
  }
  return Math.round(Number(match[1]) * 1024 ** (match[2] === undefined ? 0 : SIZE_UNITS.indexOf(match[2]) + 1));
});

/** A text; a number or boolean of YAML is taken as it is written. */
export const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** Label names to values. */
export const labelRecord = z.record(z.string().min(1), text);

/** Keys that Prometheus has and this program doesn't, with what to do instead. */
export function unsupported(keys: readonly string[], instead: string): Record<string, z.ZodOptional<z.ZodNever>> {
  return Object.fromEntries(keys.map((key) => [key, z.never({ error: `is not supported; ${instead}` }).optional()]));
}

const tlsVersion = z.enum(['TLS10', 'TLS11', 'TLS12', 'TLS13']);

const tlsConfig = z.strictObject({
  ca: z.string().optional(),
  ca_file: z.string().optional(),
  cert: z.string().optional(),
  cert_file: z.string().optional(),
  key: z.string().optional(),
  key_file: z.string().optional(),
  server_name: z.string().optional(),
  insecure_skip_verify: z.boolean().default(false),
  min_version: tlsVersion.optional(),
  max_version: tlsVersion.optional(),
});
export type TlsConfig = z.infer<typeof tlsConfig>;

/** How a server is asked: what scraping and HTTP discovery share. */
export const httpKeys = {
  basic_auth: z
    .strictObject({
      username: text.default(''),
      username_file: z.string().optional(),
      password: text.optional(),
      password_file: z.string().optional(),
    })
    .refine((auth) => auth.password === undefined || auth.password_file === undefined, {
      message: 'has password and password_file, of which one is accepted',
    })
    .optional(),
  authorization: z
    .strictObject({
      type: z.string().default('Bearer'),
      credentials: text.optional(),
      credentials_file: z.string().optional(),
    })
    .refine((auth) => auth.type.trim().toLowerCase() !== 'basic', {
      message: "can't have the type basic; use basic_auth",
      path: ['type'],
    })
    .refine((auth) => auth.credentials === undefined || auth.credentials_file === undefined, {
      message: 'has credentials and credentials_file, of which one is accepted',
    })
    .optional(),
  bearer_token: text.optional(),
  bearer_token_file: z.string().optional(),
  tls_config: tlsConfig.prefault({}),
  follow_redirects: z.boolean().default(true),
  /** Accepted, because servers that speak HTTP/2 speak HTTP/1.1 too, which is what is spoken. */
  enable_http2: z.boolean().default(true),
  http_headers: z
    .record(
      z.string(),
      z.strictObject({
        values: z.array(text).default([]),
        secrets: z.array(text).default([]),
        files: z.array(z.string()).default([]),
      }),
    )
    .default({}),
  ...unsupported(
    ['oauth2', 'proxy_url', 'proxy_from_environment', 'proxy_connect_header', 'no_proxy'],
    'targets are asked directly, with basic_auth, authorization or tls_config',
  ),
};

const httpOnly = z.strictObject(httpKeys);
export type HttpConfig = z.infer<typeof httpOnly>;

/** More than one way to authenticate is an error, as in Prometheus. */
export function checkHttp(http: HttpConfig, context: z.RefinementCtx): void {
  const ways = [http.basic_auth, http.authorization, http.bearer_token, http.bearer_token_file].filter(
    (way) => way !== undefined,
  );
  if (ways.length <= 1) return;
  context.addIssue('has more than one of basic_auth, authorization, bearer_token and bearer_token_file');
}

/** One rule of `relabel_configs`, checked and compiled. */
export const relabelRule = z
  .strictObject({
    source_labels: z.array(text).optional(),
    separator: text.optional(),
    regex: text.optional(),
    modulus: z.int().min(0).optional(),
    target_label: text.optional(),
    replacement: text.optional(),
    action: z
      .string()
      .refine((action) => RELABEL_ACTIONS.some((known) => known === action.toLowerCase()), {
        message: `expected one of ${RELABEL_ACTIONS.join(', ')}`,
      })
      .optional(),
  })
  .transform((config, context) => {
    try {
      return compileRelabel(config, 'rule');
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });

/** A list of targets with labels. */
export const targetGroup = z.strictObject({ targets: z.array(text).default([]), labels: labelRecord.default({}) });
export type TargetGroup = z.infer<typeof targetGroup>;

const FILE_PATTERN = /^[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/;

export const fileDiscovery = z.strictObject({
  files: z
    .array(
      z.string().regex(FILE_PATTERN, {
        message: 'expected a path that ends with .json, .yml or .yaml, with * in the last part only',
      }),
    )
    .min(1),
  refresh_interval: durationMs.prefault('5m'),
});
export type FileDiscoveryConfig = z.infer<typeof fileDiscovery>;

export const httpDiscovery = z
  .strictObject({
    url: z.string().regex(/^https?:\/\/[^/]/, { message: 'expected a URL that begins with http:// or https://' }),
    refresh_interval: durationMs.prefault('1m'),
    ...httpKeys,
  })
  .superRefine(checkHttp);
export type HttpDiscoveryConfig = z.infer<typeof httpDiscovery>;
