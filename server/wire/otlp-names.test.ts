import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPlainLabelName, isPlainMetricName } from '../model/index.ts';
import { labelName, metricName, type NamedMetricKind, unitName } from './otlp-names.ts';

describe('metricName', () => {
  // Every row is one rule of the translation, written out by hand.
  test.each<[string, string, NamedMetricKind, string | undefined]>([
    // Units are spelled out and appended; known ones stay where the name has them already.
    ['gen_ai.server.time_to_first_token', 's', 'histogram', 'gen_ai_server_time_to_first_token_seconds'],
    ['http.server.duration', 'ms', 'histogram', 'http_server_duration_milliseconds'],
    ['system.filesystem.usage', 'By', 'sum', 'system_filesystem_usage_bytes'],
    ['queue.seconds.spent', 's', 'gauge', 'queue_seconds_spent'],
    ['gpu.temperature', 'Cel', 'gauge', 'gpu_temperature_celsius'],
    ['gpu.power', 'W', 'gauge', 'gpu_power_watts'],
    ['cpu.busy', '%', 'gauge', 'cpu_busy_percent'],
    // A unit of something per something.
    ['network.io', 'By/s', 'gauge', 'network_io_bytes_per_second'],
    ['inference.speed', '{token}/s', 'gauge', 'inference_speed_per_second'],
    ['fan.speed', 'rot/m', 'gauge', 'fan_speed_rot_per_minute'],
    ['rate', '/s', 'gauge', 'rate_per_second'],
    ['disk.speed', 'By/', 'gauge', 'disk_speed_bytes'],
    // Annotations are no units; unknown units are taken as they are, made valid.
    ['gen_ai.client.token.usage', '{token}', 'histogram', 'gen_ai_client_token_usage'],
    ['requests', '{request}', 'monotonic_sum', 'requests_total'],
    ['light', 'cd', 'gauge', 'light_cd'],
    ['odd', 'a b//c', 'gauge', 'odd_a_b_per_c'],
    ['loss', 'dB[mW]', 'gauge', 'loss_dB_mW_'],
    // Counters end in _total, once; sums that go down don't.
    ['inference.requests', '1', 'monotonic_sum', 'inference_requests_total'],
    ['total.requests.total', '', 'monotonic_sum', 'requests_total'],
    ['io.total', 'By', 'monotonic_sum', 'io_bytes_total'],
    ['queue.length', '1', 'sum', 'queue_length'],
    // Gauges of unit 1 are ratios; nothing else is.
    ['kv_cache.usage', '1', 'gauge', 'kv_cache_usage_ratio'],
    ['hit.ratio', '1', 'gauge', 'hit_ratio'],
    ['size', '1', 'histogram', 'size'],
    // Characters: colons stay, runs of anything else become one underscore, ends are trimmed.
    ['a:b.c', '', 'gauge', 'a:b_c'],
    ['__a..b__c__', '', 'gauge', 'a_b_c'],
    ['größe', 'By', 'gauge', 'gr_e_bytes'],
    ['2xx', '', 'monotonic_sum', '_2xx_total'],
    // Nothing left.
    ['', '', 'gauge', undefined],
    ['日本', '', 'gauge', undefined],
    // A name that vanishes but has a unit keeps the unit, as upstream does.
    ['日本', 's', 'gauge', 'seconds'],
  ])('%s [%s] %s → %s', (name, unit, kind, expected) => {
    expect(metricName(name, unit, kind, true)).toBe(expected);
  });

  test.each([
    ['http.server.duration', 'ms', 'http_server_duration'],
    ['a__b', 's', 'a__b'],
    ['9lives', '', '_9lives'],
    ['.', '', undefined],
  ])('without suffixes %s → %s', (name, unit, expected) => {
    expect(metricName(name, unit, 'monotonic_sum', false)).toBe(expected);
  });

  test('is always a plain name, or nothing', () => {
    const kind = fc.constantFrom<NamedMetricKind>('gauge', 'monotonic_sum', 'histogram');
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        kind,
        fc.boolean(),
        (name, unit, k, on) => {
          const built = metricName(name, unit, k, on);
          expect(built === undefined || isPlainMetricName(built)).toBe(true);
        },
      ),
    );
  });
});

test.each([
  ['s', 'seconds'],
  ['By/s', 'bytes_per_second'],
  ['1', ''],
  ['{token}', ''],
  ['{token}/s', 'per_second'],
  ['KiBy/h', 'kibibytes_per_hour'],
  ['°', ''],
])('unitName(%s) → %s', (unit, expected) => {
  expect(unitName(unit)).toBe(expected);
});

describe('labelName', () => {
  test.each([
    ['gen_ai.request.model', 'gen_ai_request_model'],
    ['a..b', 'a__b'],
    ['2nd', 'key_2nd'],
    ['_private', 'key_private'],
    ['__name__', '__name__'],
    ['.leading', 'key_leading'],
    ['naïve', 'na_ve'],
    ['😀x', 'key_x'],
    ['', undefined],
    ['日', undefined],
    ['_', 'key_'],
  ])('%s → %s', (key, expected) => {
    expect(labelName(key)).toBe(expected);
  });

  test('is always a plain name, or nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        const built = labelName(key);
        expect(built === undefined || isPlainLabelName(built)).toBe(true);
      }),
    );
  });
});
