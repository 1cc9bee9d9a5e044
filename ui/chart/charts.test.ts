import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PANE } from '../../server/dashboards/index.ts';
import { frameFromAnswers } from '../data/frame.ts';
import { buildHeatmap } from '../data/heatmap.ts';
import { ColorRegistry, styleSeries } from '../data/series-style.ts';
import { barHeight, eventMarks } from './events-chart.ts';
import { columnQuantile, columnTotal, heatIndex, heatmapChart, rowSplits } from './heatmap-chart.ts';
import { linearRange, lineChart, logRange, logTicks, reachedCeilings } from './line-chart.ts';
import { type ChartTheme, heatScale, stateColor } from './theme.ts';

const theme: ChartTheme = {
  name: 'dark',
  font: '11px sans-serif',
  colors: { 'quantile-low': '#111111', 'quantile-mid': '#222222', 'quantile-high': '#333333' },
  axis: '#444444',
  grid: '#555555',
  surface: '#666666',
  marker: '#777777',
  heat: ['#000000', '#ffffff'],
};
const panels = PANE.rows.flatMap((row) => row.panels);
const panelOf = (id: string) => panels.find((panel) => panel.id === id) ?? PANE.lane;
const series = (labels: Record<string, string>, values: number[]) => ({
  labels,
  points: values.map((v, i): [number, number] => [i * 10, v]),
  histograms: [],
});

function ttftChart(p50: number[], p99: number[], only?: string) {
  const panel = panelOf('ttft');
  const frame = frameFromAnswers([[series({}, p50)], [], [series({}, p99)]], 0, 10 * (p50.length - 1), 10);
  const { shown } = styleSeries(panel, frame, new ColorRegistry());
  return lineChart({ panel, frame, series: shown, only, window: { fromSeconds: 0, toSeconds: 20 }, theme });
}

describe('lineChart', () => {
  test('lays series out as columns, with gaps where there is nothing finite', () => {
    const chart = ttftChart([1, Number.NaN, 3], [4, Number.POSITIVE_INFINITY, 6]);
    expect(chart.data).toEqual([
      [0, 10, 20],
      [1, null, 3],
      [4, null, 6],
    ]);
    expect(chart.options.series.slice(1).map((s) => s.stroke)).toEqual(['#111111', '#333333']);
  });

  test('is the same chart while only values change, and another one for other series or a line alone', () => {
    const { key } = ttftChart([1, 2], [3, 4]);
    expect(ttftChart([9, 9, 9], [1, 1, 1]).key).toBe(key);
    expect(ttftChart([1, 2], [3, 4], '0 ').key).not.toBe(key);
    expect(ttftChart([1, 2], [Number.NaN, Number.NaN]).key).not.toBe(key);
  });
});

describe('axes', () => {
  const numbers = fc.double({ min: -1e9, max: 1e9, noNaN: true });

  test('a linear range holds all data and is never empty', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const [low, high] = linearRange({ unit: 'celsius' }, min, max);
        expect(low).toBeLessThanOrEqual(min);
        expect(high).toBeGreaterThanOrEqual(max);
        expect(high).toBeGreaterThan(low);
      }),
    );
    expect(linearRange({ unit: 'ratio', min: 0 }, 0, 0)).toEqual([0, 0.01]);
    expect(linearRange({ unit: 'ratio', min: 0, max: 1 }, 0.2, 0.4)).toEqual([0, 1]);
  });

  test('a logarithmic range holds all data and has a mark to read', () => {
    const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const [low, high] = logRange(Math.min(a, b), Math.max(a, b));
        expect(low).toBeLessThan(Math.min(a, b));
        expect(high).toBeGreaterThan(Math.max(a, b));
        expect(logTicks(low, high).length).toBeGreaterThan(0);
      }),
    );
    expect(logTicks(0.8, 30)).toEqual([1, 2, 5, 10, 20]);
  });
});

describe('heatmapChart', () => {
  const frame = frameFromAnswers(
    [[series({ le: '4' }, [1, 0]), series({ le: '16' }, [3, 0]), series({ le: '+Inf' }, [4, 2])]],
    0,
    10,
    10,
  );
  const map = buildHeatmap(frame);
  if (!map) throw new Error('BUG: no heatmap');

  test('reads columns as totals and quantiles', () => {
    expect(columnTotal(map, 0)).toBe(4);
    expect(columnQuantile(map, 0, 0.5)).toEqual({ lower: 4, upper: 16 });
    expect(columnQuantile(map, 1, 0.5)).toEqual({ lower: 16, upper: Number.POSITIVE_INFINITY });
  });

  test('is drawn by its own painter, so that a new column needs no new chart', () => {
    const chart = heatmapChart(panelOf('token-distribution'), frame, map, { fromSeconds: 0, toSeconds: 10 }, theme);
    expect(chart.paint).toBeTypeOf('function');
    expect(chart.key).not.toContain('"max"');
  });

  test('labels as many rows as have room', () => {
    expect(rowSplits(10, 220)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(rowSplits(10, 60)).toEqual([0, 4, 8]);
  });

  test('colours grow with values, and the rarest still differs from nothing', () => {
    expect(heatIndex(0, 10)).toBe(0);
    expect(heatIndex(0.0001, 10)).toBeGreaterThan(0);
    expect(heatIndex(10, 10)).toBe(255);
    const scale = heatScale(['#000000', '#808080', '#ffffff']);
    expect([scale[0], scale[255]]).toEqual(['rgb(0 0 0)', 'rgb(255 255 255)']);
  });
});

test('a line that runs along the end of its buckets is said to, and the chart is built anew for it', () => {
  const panel = panelOf('ttft');
  const chart = (p99: number[]) => {
    const { shown } = styleSeries(panel, frameFromAnswers([[], [], [series({}, p99)]], 0, 10, 10), new ColorRegistry());
    return reachedCeilings(panel, shown).map(({ value, label }) => [value, label.replace(/\s/g, ' ')]);
  };
  expect(chart([1, 9.99])).toEqual([]);
  expect(chart([1, 10])).toEqual([[10, '10.0 s or more']]);
  expect(ttftChart([1, 1], [1, 10]).key).not.toBe(ttftChart([1, 1], [1, 9]).key);
});

test('marks of a lane: errors are drawn after warnings, and one event is seen', () => {
  const frame = frameFromAnswers([[series({}, [0, 3])], [series({}, [2, 5])]], 0, 10, 10);
  const { shown } = styleSeries(PANE.lane, frame, new ColorRegistry());
  expect(eventMarks(frame, shown)).toEqual([
    { seconds: 0, color: 'warning', count: 2 },
    { seconds: 10, color: 'warning', count: 5 },
    { seconds: 10, color: 'error', count: 3 },
  ]);
  const bar = (color: string, count: number) => barHeight({ seconds: 0, color, count });
  expect(bar('warning', 1)).toBeGreaterThan(0.2);
  expect(bar('warning', 1)).toBeLessThan(0.5);
  expect(bar('error', 1)).toBe(1);
  expect(bar('warning', 1000)).toBe(1);
});

test('reasons of throttling have the colour of their cause', () => {
  expect(['sw_thermal', 'power', 'hw_slowdown', 'sync_boost'].map(stateColor)).toEqual([
    'state-thermal',
    'state-power',
    'state-hardware',
    'state-other',
  ]);
});
