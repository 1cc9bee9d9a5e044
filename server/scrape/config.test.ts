import { describe, expect, it } from 'vitest';
import { scrapeSchema } from './config.ts';

const parse = (job: object, global: object = {}) =>
  scrapeSchema.parse({ global, scrape_configs: [{ job_name: 'a', ...job }] }).jobs[0];

function issueOf(job: object, global: object = {}): string {
  const result = scrapeSchema.safeParse({ global, scrape_configs: [{ job_name: 'a', ...job }] });
  const issue = result.error?.issues[0];
  return `${issue?.path.join('.')}: ${issue?.message}`;
}

describe('defaults', () => {
  it('are Prometheus’s', () => {
    expect(parse({})).toMatchObject({
      name: 'a',
      intervalMs: 60_000,
      timeoutMs: 10_000,
      metricsPath: '/metrics',
      scheme: 'http',
      honorLabels: false,
      honorTimestamps: true,
      enableCompression: true,
      sampleLimit: 0,
      maxHistogramSchema: 8,
      protocols: ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
    });
  });

  it('of the job come from global, and the timeout is never longer than the interval', () => {
    expect(parse({}, { scrape_interval: '5s' })).toMatchObject({ intervalMs: 5000, timeoutMs: 5000 });
    expect(parse({ scrape_interval: '3s' }, { scrape_timeout: '8s' })).toMatchObject({ timeoutMs: 3000 });
    expect(parse({ sample_limit: 5 }, { sample_limit: 9, label_limit: 7 })).toMatchObject({
      sampleLimit: 5,
      labelLimit: 7,
    });
  });

  it('ask for protobuf first where native histograms are wanted', () => {
    expect(parse({ scrape_native_histograms: true }).protocols[0]).toBe('PrometheusProto');
  });
});

it.each([
  [0, 64 * 1024 ** 2],
  ['0', 64 * 1024 ** 2],
  ['10MB', 10 * 1024 ** 2],
  ['1.5KiB', 1536],
  [2048, 2048],
])('a body_size_limit of %s is %s bytes', (size, bytes) => {
  expect(parse({ body_size_limit: size }).bodyBytesLimit).toBe(bytes);
});

it.each([
  [0, 8],
  [1.002, 8],
  [1.1, 3],
  [2, 0],
  [100_000, -4],
])('a native_histogram_min_bucket_factor of %s is the schema %s', (factor, schema) => {
  expect(parse({ native_histogram_min_bucket_factor: factor }).maxHistogramSchema).toBe(schema);
});

it.each<[object, RegExp]>([
  [{ scrape_timeout: '2m' }, /scrape_configs\.0\.scrape_timeout: is longer/],
  [{ metric_path: '/x' }, /scrape_configs\.0\.metric_path: an unknown key/],
  [{ kubernetes_sd_configs: [{ role: 'pod' }] }, /kubernetes_sd_configs: is not supported; static_configs/],
  [{ proxy_url: 'http://x' }, /proxy_url: is not supported/],
  [{ http_sd_configs: [{ url: 'http://x', oauth2: {} }] }, /http_sd_configs\.0\.oauth2: is not supported/],
  [{ convert_classic_histograms_to_nhcb: true }, /convert_classic_histograms_to_nhcb: is not supported/],
  [{ scrape_interval: '5 minutes' }, /scrape_interval: duration/],
  [{ body_size_limit: 'big' }, /body_size_limit: expected a size/],
  [{ scrape_protocols: ['PrometheusProto', 'PrometheusProto'] }, /scrape_protocols: has a protocol twice/],
  [{ bearer_token: 'x', basic_auth: {} }, /more than one of/],
  [{ basic_auth: { password: 'x', password_file: 'y' } }, /of which one is accepted/],
  [{ authorization: { type: 'Basic' } }, /use basic_auth/],
  [{ file_sd_configs: [{ files: ['targets'] }] }, /ends with \.json/],
  [{ file_sd_configs: [{ files: ['*/a.yml'] }] }, /\* in the last part only/],
  [{ relabel_configs: [{ action: 'explode' }] }, /relabel_configs\.0\.action: expected one of replace/],
  [{ relabel_configs: [{ target_label: 'a', regex: '(' }] }, /relabel_configs\.0: rule\.regex/],
  [{ metric_relabel_configs: [{ targetlabel: 'a' }] }, /metric_relabel_configs\.0\.targetlabel: an unknown key/],
])('%j is refused with its path', (job, message) => {
  expect(issueOf(job)).toMatch(message);
});

it('a job’s name is there once', () => {
  const result = scrapeSchema.safeParse({ scrape_configs: [{ job_name: 'a' }, { job_name: 'a' }] });
  expect(result.error?.issues[0]).toMatchObject({ path: ['scrape_configs', 1, 'job_name'] });
});

it('what is shown has no secrets in it', () => {
  const secrets = Array.from({ length: 9 }, (_, i) => `hunter-${i}`);
  const { shown } = scrapeSchema.parse({
    scrape_configs: [
      {
        job_name: 'a',
        basic_auth: { username: 'u', password: secrets[0] },
        tls_config: { key: secrets[1], cert: 'public' },
        params: { token: [secrets[2]], module: ['m'] },
        http_headers: { 'X-Key': { secrets: [secrets[3]], values: ['v'] } },
        http_sd_configs: [{ url: `http://u:${secrets[4]}@h/?api_key=${secrets[5]}&a=b`, bearer_token: secrets[6] }],
        static_configs: [{ targets: ['x:1'], labels: { __param_secret: secrets[7] } }],
      },
      { job_name: 'b', authorization: { credentials: secrets[8] } },
    ],
  });
  const text = JSON.stringify(shown);
  for (const secret of secrets) expect(text).not.toContain(secret);
  expect(text).toContain('http://u:xxxxx@h/?api_key=<secret>&a=b');
  for (const kept of ['"username":"u"', '"module":["m"]', '"values":["v"]', '"cert":"public"'])
    expect(text).toContain(kept);
});
