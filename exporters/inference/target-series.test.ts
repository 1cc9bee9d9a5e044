import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine, MetricName } from '../generated/conventions.ts';
import { ENGINE_TABLES } from './engine-table.ts';
import { MAX_SERIES } from './slots.ts';
import { TargetSeries } from './target-series.ts';

const START_MS = 1_764_000_000_000;

function open(engine: Engine): {
  readonly series: TargetSeries;
  read(text: string, seconds?: number): void;
  scalars(metric: MetricName): Record<string, number>;
  histogram(metric: MetricName): { bounds: number[]; values: number[]; sum: number; count: number } | undefined;
} {
  const series = new TargetSeries(ENGINE_TABLES[engine], { engine, labels: {}, fallback: { model_version: 'm' } });
  return {
    series,
    read: (text, seconds = 0) => series.read(Buffer.from(text), START_MS + seconds * 1000),
    scalars: (metric) =>
      Object.fromEntries(
        [...series.scalars(metric)].map(({ labels, slot }) => [
          labels
            .filter(([name]) => name !== 'engine' && name !== 'model_version')
            .map(([, value]) => value)
            .join(),
          series.value(slot),
        ]),
      ),
    histogram: (metric) => {
      const [found] = [...series.histograms(metric)];
      return (
        found && {
          bounds: found.buckets.map(({ bound }) => bound),
          values: found.buckets.map(({ slot }) => series.value(slot)),
          sum: series.value(found.sum?.slot ?? -1),
          count: series.value(found.count?.slot ?? -1),
        }
      );
    },
  };
}

const cache = (queries: number, hits: number) =>
  `# TYPE vllm:prefix_cache_queries counter\nvllm:prefix_cache_queries_total{engine="0"} ${queries}\nvllm:prefix_cache_hits_total{engine="0"} ${hits}\n`;

describe('A share of two increases', () => {
  it('is taken over a minute of scrapes, and absent where nothing was asked.', () => {
    const { read, scalars } = open('vllm');
    const ratio = () => scalars('inference_prefix_cache_hit_ratio')[''];
    read(cache(1000, 900), 0);
    expect(ratio()).toBeUndefined();
    read(cache(1000, 900), 15);
    expect(ratio()).toBeUndefined();
    read(cache(1100, 925), 30);
    expect(ratio()).toBe(0.25);
    read(cache(1200, 1025), 100);
    // From the scrape at 30 s: older ones are further away than needed.
    expect(ratio()).toBe(1);
    read(cache(1200, 1025), 200);
    expect(ratio()).toBeUndefined();
  });

  it('begins anew when the engine was restarted.', () => {
    const { read, scalars } = open('vllm');
    read(cache(1000, 900), 0);
    read(cache(10, 0), 15);
    expect(scalars('inference_prefix_cache_hit_ratio')).toEqual({});
    read(cache(20, 5), 30);
    expect(scalars('inference_prefix_cache_hit_ratio')).toEqual({ '': 0.5 });
  });
});

describe('An upgrade of the engine', () => {
  it('goes on under the new name of a measure, with no moment in which both count.', () => {
    const { read, scalars } = open('vllm');
    read('# TYPE vllm:gpu_cache_usage_perc gauge\nvllm:gpu_cache_usage_perc 0.4\n');
    expect(scalars('inference_kv_cache_usage_ratio')).toEqual({ '': 0.4 });
    read('# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0.5\nvllm:gpu_cache_usage_perc 0.9\n');
    expect(scalars('inference_kv_cache_usage_ratio')).toEqual({ '': 0.5 });
    read('vllm:gpu_cache_usage_perc 0.9\n');
    expect(scalars('inference_kv_cache_usage_ratio')).toEqual({ '': 0.9 });
  });

  it("changes a histogram's bounds, and no quantile mixes the two.", () => {
    const { read, histogram } = open('vllm');
    const of = (bounds: readonly string[], counts: readonly number[]) =>
      [
        '# TYPE vllm:e2e_request_latency_seconds histogram',
        ...bounds.map((le, i) => `vllm:e2e_request_latency_seconds_bucket{le="${le}"} ${counts[i]}`),
        `vllm:e2e_request_latency_seconds_count ${counts.at(-1)}`,
        'vllm:e2e_request_latency_seconds_sum 5\n',
      ].join('\n');
    read(of(['1.0', '2.0', '+Inf'], [1, 2, 3]));
    expect(histogram('inference_total_latency_seconds')?.bounds).toEqual([1, 2, Infinity]);
    read(of(['0.5', '2.0', '+Inf'], [1, 5, 7]));
    expect(histogram('inference_total_latency_seconds')).toEqual({
      bounds: [0.5, 2, Infinity],
      values: [1, 5, 7],
      sum: 5,
      count: 7,
    });
  });

  it('reports what nobody knows and what is missing.', () => {
    const { read, series } = open('vllm');
    read('# TYPE vllm:cache_usage gauge\nvllm:cache_usage 1\nvllm:prompt_tokens_created 1\nprocess_open_fds 7\n');
    const { unmapped, ignored, missing, foreign } = series.report();
    expect(unmapped).toEqual(['vllm:cache_usage']);
    expect(ignored.map(({ source }) => source)).toEqual(['vllm:prompt_tokens_created']);
    expect(missing.length).toBe(ENGINE_TABLES.vllm.mappings.length);
    expect(foreign).toBe(1);
  });
});

describe('Histograms', () => {
  const head = '# TYPE vllm:request_queue_time_seconds histogram\n';
  const line = (part: string, labels: string, value: number) =>
    `vllm:request_queue_time_seconds_${part}{${labels}} ${value}\n`;

  it.each([
    ['without a last bucket', line('bucket', 'le="1"', 1) + line('sum', '', 1) + line('count', '', 1)],
    ['without a sum', line('bucket', 'le="+Inf"', 1) + line('count', '', 1)],
    [
      'with buckets that fall',
      line('bucket', 'le="1"', 3) + line('bucket', 'le="+Inf"', 1) + line('sum', '', 1) + line('count', '', 1),
    ],
    [
      'of two series with other bounds each',
      ['a', 'b']
        .map(
          (x) =>
            line('bucket', `x="${x}",le="${x === 'a' ? 1 : 2}"`, 1) +
            line('bucket', `x="${x}",le="+Inf"`, 1) +
            line('sum', `x="${x}"`, 1) +
            line('count', `x="${x}"`, 1),
        )
        .join(''),
    ],
  ])('%s are left out rather than given wrongly.', (_what, text) => {
    const { read, histogram } = open('vllm');
    read(head + text);
    expect(histogram('inference_queue_seconds')).toBeUndefined();
  });

  it('refuse a bucket without a bound.', () => {
    const { read } = open('vllm');
    expect(() => read(head + line('bucket', '', 1))).toThrow(/bucket without a bound/);
  });

  it('are not made of a summary.', () => {
    const { read, histogram, series } = open('vllm');
    read('# TYPE vllm:request_queue_time_seconds summary\nvllm:request_queue_time_seconds_sum 1\n');
    expect(histogram('inference_queue_seconds')).toBeUndefined();
    expect(series.samples).toBe(1);
  });
});

describe('What is subtracted', () => {
  const text = (total: number, aborted: number) =>
    `sglang:num_requests_total ${total}\nsglang:num_aborted_requests_total ${aborted}\n`;

  it('never lets a counter go back, and follows a restart.', () => {
    const { read, scalars } = open('sglang');
    const requests = () => scalars('inference_requests_total');
    read(text(10, 2));
    expect(requests()).toEqual({ ok: 8, cancelled: 2 });
    // The abort is counted before the request that it ends.
    read(text(10, 3));
    expect(requests()).toEqual({ ok: 8, cancelled: 3 });
    read(text(12, 3));
    expect(requests()).toEqual({ ok: 9, cancelled: 3 });
    read(text(1, 0));
    expect(requests()).toEqual({ ok: 1, cancelled: 0 });
  });

  it("leaves sums that never fall as long as the source doesn't.", () => {
    const step = fc.record({ ended: fc.nat(5), aborted: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 20 }), (steps) => {
        const { read, scalars } = open('sglang');
        let [total, aborted, last] = [0, 0, 0];
        for (const { ended, aborted: more } of steps) {
          total += ended;
          aborted = Math.min(total + 1, aborted + more);
          read(text(total, aborted));
          const { ok } = scalars('inference_requests_total');
          expect(ok).toBeGreaterThanOrEqual(last);
          last = ok;
        }
      }),
    );
  });
});

describe('An answer that is wrong', () => {
  it('gives nothing at all, not even what was right before the mistake.', () => {
    const { read, scalars } = open('vllm');
    read('vllm:num_requests_running 3\n');
    expect(() => read('vllm:num_requests_running 4\nvllm:num_requests_waiting x\n')).toThrow(/line 2/);
    expect(scalars('inference_requests_running')).toEqual({});
    read('vllm:num_requests_running 5\n');
    expect(scalars('inference_requests_running')).toEqual({ '': 5 });
  });

  it('is one that has a series twice.', () => {
    const { read } = open('vllm');
    expect(() => read('vllm:num_requests_running 3\nvllm:num_requests_running 4\n')).toThrow(/there already/);
  });

  it('is one with more series than one target may give, and the next may be right.', () => {
    const { read, scalars } = open('vllm');
    const lines = Array.from({ length: MAX_SERIES + 1 }, (_, i) => `vllm:num_requests_running{model_name="m${i}"} 1`);
    expect(() => read(`${lines.join('\n')}\n`)).toThrow(/more than 50000/);
    read('vllm:num_requests_running 5\n');
    expect(scalars('inference_requests_running')).toEqual({ '': 5 });
  });
});

describe('What a source says', () => {
  it('is never taken over where a number is none.', () => {
    const { read, scalars } = open('vllm');
    read('vllm:num_requests_running NaN\nvllm:num_requests_waiting 1\n');
    expect(scalars('inference_requests_running')).toEqual({});
    expect(scalars('inference_requests_waiting')).toEqual({ '': 1 });
  });

  it('may be a name that objects have.', () => {
    const { read, scalars } = open('vllm');
    read(
      'vllm:request_success_total{finished_reason="constructor"} 1\nvllm:request_success_total{finished_reason="toString"} 2\n',
    );
    expect(scalars('inference_requests_total')).toEqual({ ok: 3 });
  });

  it('ends when its series end.', () => {
    const { read, scalars } = open('vllm');
    read('vllm:num_requests_running{model_name="a"} 1\nvllm:num_requests_running{model_name="b"} 2\n');
    read('vllm:num_requests_running{model_name="b"} 2\n');
    expect(Object.values(scalars('inference_requests_running'))).toEqual([2]);
  });
});

describe('When a counter began', () => {
  it('is when it was first seen, and after a restart when it was last seen before.', () => {
    const { read, series } = open('vllm');
    const start = () => {
      const [{ slot }] = series.scalars('inference_preemptions_total');
      return (series.startMs(slot) - START_MS) / 1000;
    };
    read('vllm:num_preemptions_total 5\n', 0);
    read('vllm:num_preemptions_total 6\n', 15);
    expect(start()).toBe(0);
    read('vllm:num_preemptions_total 2\n', 30);
    expect(start()).toBe(15);
  });
});
