import { expect, test } from 'vitest';
import { frameFromAnswers } from './frame.ts';
import { activeStates, buildStateRows, dominantState } from './states.ts';

const queries = [
  { language: 'promql', expr: '', legend: '{{reason}}' },
  { language: 'promql', expr: '', legend: 'thermal' },
] as const;
const series = (labels: Record<string, string>, values: number[]) => ({
  labels,
  points: values.map((v, i): [number, number] => [i * 10, v]),
  histograms: [],
});

test('rows are nodes, states come from legends, and two sources of one state count once', () => {
  const frame = frameFromAnswers(
    [
      [series({ node: 'n10', reason: 'power' }, [0, 0.4, 0]), series({ node: 'n2', reason: 'thermal' }, [0, 0, 0])],
      [series({ node: 'n10' }, [0, 0.9, 0]), series({ node: 'n2' }, [0, 0, 1.2])],
    ],
    0,
    20,
    10,
  );
  const rows = buildStateRows(frame, queries, 'node');
  expect(rows.map((row) => row.name)).toEqual(['n2', 'n10']);
  expect(activeStates(rows)).toEqual(['thermal', 'power']);
  expect(dominantState(rows[1], 1)).toEqual({ state: 'thermal', share: 0.9 });
  expect(dominantState(rows[0], 2)).toEqual({ state: 'thermal', share: 1 });
  expect(dominantState(rows[0], 0)).toBeUndefined();
});
