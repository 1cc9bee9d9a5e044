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
