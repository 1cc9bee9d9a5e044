import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PANE } from '../../server/dashboards/index.ts';
import { frameFromAnswers } from './frame.ts';
import { ColorRegistry, legendText, MOST_SERIES, SERIES_COLORS, styleSeries } from './series-style.ts';

const panelOf = (id: string) => {
  const panel = PANE.rows.flatMap((row) => row.panels).find((p) => p.id === id);
  if (!panel) throw new Error(`BUG: no panel ${id}`);
  return panel;
};
const series = (labels: Record<string, string>, value: number) => ({
  labels,
  points: [[0, value]] as [number, number][],
  histograms: [],
});

describe('ColorRegistry', () => {
  test('up to the size of the palette, values have colours of their own, and later values change none', () => {
    const values = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: SERIES_COLORS });
    fc.assert(
      fc.property(values, fc.array(fc.string()), (first, later) => {
        const registry = new ColorRegistry();
        registry.assign('node', first);
        const colors = first.map((value) => registry.color('node', value));
        expect(new Set(colors).size).toBe(first.length);
        registry.assign('node', later);
        expect(first.map((value) => registry.color('node', value))).toEqual(colors);
      }),
    );
  });
});

test('legends take label values, and absent ones leave no trace', () => {
  expect(legendText('{{ node }} KV cache', { node: 'n1' })).toBe('n1 KV cache');
  expect(legendText('{{node}} KV cache', {})).toBe('KV cache');
});

test('size classes stand in their order, not the alphabet’s', () => {
  const frame = frameFromAnswers([[series({ token_bucket: '≤8k' }, 3), series({ token_bucket: '≤128' }, 1)]], 0, 0, 10);
  const { shown } = styleSeries(panelOf('latency-by-tokens'), frame, new ColorRegistry());
  expect(shown.map((s) => [s.name, s.color])).toEqual([
    ['≤128', 'ordinal-0'],
    ['≤8k', 'ordinal-3'],
  ]);
});

test('a GPU type has one colour for what is used and for the total', () => {
  const frame = frameFromAnswers([[series({ gpu_type: 'H100' }, 1)], [series({ gpu_type: 'H100' }, 2)]], 0, 0, 10);
  const { shown } = styleSeries(panelOf('gpu-memory'), frame, new ColorRegistry());
  expect(shown[0].color).toBe(shown[1].color);
  expect(shown.map((s) => s.dashed)).toEqual([false, true]);
});

test('of too many series the highest stay, and the others are counted', () => {
  const many = Array.from({ length: MOST_SERIES + 5 }, (_, i) => series({ node: `n${i}` }, i));
  const { shown, leftOut } = styleSeries(
    panelOf('gpu-temperature'),
    frameFromAnswers([many], 0, 0, 10),
    new ColorRegistry(),
  );
  expect(leftOut).toBe(5);
  expect(shown.at(-1)?.name).toBe('n5');
});
