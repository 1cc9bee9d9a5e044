import { expect, test } from 'vitest';
import { PANE } from '../../server/dashboards/index.ts';
import { RequestQueue } from '../api/requests.ts';
import { PanelFeed } from './feed.ts';

const panel = PANE.rows[2].panels[1];
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Answers every query with the time as the value, and writes down what was asked. */
function clockServer() {
  const asked: { query: string; start: number; end: number }[] = [];
  let failing = false;
  const queue = new RequestQueue(6, async (url) => {
    const params = new URL(url, 'http://x').searchParams;
    const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(params.get(name)));
    asked.push({ query: params.get('query') ?? '', start, end });
    if (failing) return new Response('{"status":"error","error":"too many samples"}', { status: 422 });
    const values = [];
    for (let t = start; t <= end; t += step) values.push([t, String(t)]);
    const data = { resultType: 'matrix', result: [{ metric: { node: 'n1' }, values }] };
    return new Response(JSON.stringify({ status: 'success', warnings: start === 0 ? ['partial'] : [], data }));
  });
  return { asked, queue, fail: (on: boolean) => (failing = on) };
}

const request = (fromSeconds: number, toSeconds: number, filters = {}) => ({
  window: { fromSeconds, toSeconds },
  stepSeconds: 15,
  sampleIntervalSeconds: 15,
  filters,
});

test('a window that moves on asks only for the newest moments and keeps the rest', async () => {
  const { asked, queue } = clockServer();
  const feed = new PanelFeed(queue, panel);
  feed.request(request(0, 900));
  await settle();
  feed.request(request(15, 915));
  await settle();
  expect(asked.map(({ start, end }) => [start, end])).toEqual([
    [0, 900],
    [780, 915],
  ]);
  const state = feed.get();
  if (state.kind !== 'ready') throw new Error(state.kind);
  expect(Array.from(state.frame.series[0].values)).toEqual(Array.from({ length: 61 }, (_, i) => 15 + 15 * i));
  expect(state.warnings).toEqual(['partial']);
});

test('other filters and earlier windows ask anew', async () => {
  const { asked, queue } = clockServer();
  const feed = new PanelFeed(queue, panel);
  feed.request(request(900, 1800));
  await settle();
  feed.request(request(900, 1800, { region: ['eu-1'] }));
  await settle();
  feed.request(request(600, 1800, { region: ['eu-1'] }));
  await settle();
  expect(asked.map(({ start }) => start)).toEqual([900, 900, 600]);
  expect(asked[1].query).toContain('region="eu-1"');
});

test('a failure says why, keeps the frame, and can be tried again', async () => {
  const { queue, fail } = clockServer();
  const feed = new PanelFeed(queue, panel);
  feed.request(request(0, 900));
  await settle();
  fail(true);
  feed.request(request(15, 915));
  await settle();
  expect(feed.get()).toMatchObject({ kind: 'failed', message: 'too many samples', frame: { startSeconds: 0 } });
  fail(false);
  feed.retry();
  await settle();
  expect(feed.get()).toMatchObject({ kind: 'ready', frame: { startSeconds: 15 } });
});

test('a failure doesn’t show the frame of other queries, and what failed stays in sight until the next answer', async () => {
  const { queue, fail } = clockServer();
  const feed = new PanelFeed(queue, panel);
  feed.request(request(0, 900));
  await settle();
  fail(true);
  feed.request(request(0, 900, { region: ['eu-1'] }));
  await settle();
  expect(feed.get()).toMatchObject({ kind: 'failed', frame: undefined });
  feed.request(request(15, 915, { region: ['eu-1'] }));
  expect(feed.get().kind).toBe('failed');
  await settle();
  feed.retry();
  expect(feed.get().kind).toBe('loading');
});

test('a live window that is filled in late is asked for whole, again and again while it grows', async () => {
  const end = 100_000;
  let nowMs = end * 1000;
  let filledUntil = end - 3000;
  const asked: [number, number][] = [];
  const queue = new RequestQueue(6, async (url) => {
    const params = new URL(url, 'http://x').searchParams;
    const [start, stop, step] = ['start', 'end', 'step'].map((name) => Number(params.get(name)));
    asked.push([start, stop]);
    const values = [];
    for (let t = start; t <= stop; t += step) if (t <= filledUntil) values.push([t, '1']);
    const data = { resultType: 'matrix', result: values.length > 0 ? [{ metric: { node: 'n1' }, values }] : [] };
    return new Response(JSON.stringify({ status: 'success', data }));
  });
  const feed = new PanelFeed(queue, panel, () => nowMs);
  const tick = async (seconds: number, window = request(end - 3600, end)) => {
    nowMs += seconds * 1000;
    feed.request(window);
    await settle();
  };
  await tick(0);
  await tick(1);
  expect(asked, 'not before a few seconds are over').toHaveLength(1);
  filledUntil = end - 1000;
  await tick(5);
  expect(asked).toHaveLength(2);
  filledUntil = end;
  await tick(5);
  await tick(5);
  expect(asked, 'the same window, until it is full').toEqual([1, 2, 3].map(() => [end - 3600, end]));
  // The window that moves on is asked for whole once more, then as usual.
  filledUntil = end + 400;
  await tick(10, request(end - 3585, end + 15));
  expect(asked.at(-1)).toEqual([end - 3585, end + 15]);
  await tick(130, request(end - 3450, end + 150));
  expect(asked.at(-1)?.[0]).toBeGreaterThan(end - 300);
  const state = feed.get();
  if (state.kind !== 'ready') throw new Error(state.kind);
  expect(state.frame.series[0].values.every((value) => value === 1)).toBe(true);
});

test('a live window without news is left alone between steps', async () => {
  const { asked, queue } = clockServer();
  let nowMs = 3_600_000;
  const feed = new PanelFeed(queue, panel, () => nowMs);
  for (let i = 0; i < 5; i++) {
    feed.request(request(0, 3600));
    await settle();
    nowMs += 5000;
  }
  expect(asked).toHaveLength(1);
});
