import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PANE, unreachedFilters } from '../server/dashboards/index.ts';
import {
  colorsOf,
  dragOver,
  eventually,
  launchBrowser,
  openPage,
  PANE_IS_BUILT,
  panelOf,
  pictureOf,
  plotBox,
  plotOf,
} from './pane-page.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

// The pane in a real browser, on the real program, over a quarter of an hour of the simulated fleet that came in over the
// real protocols. What each control does exactly is tested against a fixture in pane.test.ts; this is the whole way.

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');
const panels = PANE.rows.flatMap((row) => row.panels);
const MINUTES = 15;

let data: string;
let program: Program;
let browser: Browser;
let page: Page;
let complaints: string[];
/** The range that was filled. */
let window: { fromMs: number; toMs: number };
/** Queries that the page has asked since the list was emptied. */
let asked: URL[];

beforeAll(async () => {
  if (!PANE_IS_BUILT) return;
  data = temporaryDirectory();
  [program, browser] = await Promise.all([startProgram(data), launchBrowser()]);
  const to = ['--target', program.url, '--otlp-target', program.otlpHttpUrl];
  const run = ['simulate', ...to, '--backfill', `${MINUTES}m`, '--rate', '0.7', '--seed', '5'];
  const fromMs = Date.now() - MINUTES * 60_000;
  await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...run]);
  window = { fromMs, toMs: fromMs + MINUTES * 60_000 };
});

afterAll(async () => {
  await browser?.close();
  await program?.stop();
  if (data) fs.rmSync(data, { recursive: true, force: true });
});

beforeEach(async () => {
  if (!PANE_IS_BUILT) return;
  ({ page, complaints } = await openPage(browser, program.url));
  asked = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
});

/** Opens the range that was filled, and waits until every panel is drawn. */
async function openDrawn(query = ''): Promise<void> {
  await page.goto(`${program.url}/?from=${window.fromMs}&to=${window.toMs}${query}`);
  for (const { id } of panels) await plotOf(page, id).waitFor();
}

afterEach(async () => {
  if (!PANE_IS_BUILT) return;
  expect(complaints, 'errors of the page, failed requests, and requests to anywhere else').toEqual([]);
  await page.close();
});

const queries = () => asked.map((url) => url.searchParams.get('query') ?? url.searchParams.get('q') ?? '');
const legendOf = async (id: string) => (await panelOf(page, id).locator('.legend').textContent()) ?? '';

describe.skipIf(!PANE_IS_BUILT)('the pane on the program', () => {
  test('every panel and the lane draw what the fleet sent', async () => {
    await openDrawn();
    for (const { id } of panels) {
      expect(await panelOf(page, id).getAttribute('data-state'), id).toBe('ready');
      expect(await colorsOf(page, id), id).toBeGreaterThan(20);
    }
    // The end of the range is the middle of the last incident, in which all that these panels show goes on.
    expect(await legendOf('ttft')).toMatch(/p50\s*[\d.≥]+.*p95\s*[≥\d.].*p99\s*[≥\d.]/s);
    expect(await legendOf('total-latency')).toMatch(/llama-3\.3-70b-v1\s*[\d.]+/);
    expect(await legendOf('tokens')).toMatch(/input\s*[\d.]+k?\stok\/s/);
    expect(await legendOf('gpu-memory')).toMatch(/H100 80GB HBM3\s*[\d.]+.GiB/);
    expect(await legendOf('throttling')).toContain('thermal');
    expect(await legendOf('saturation')).toMatch(
      /KV cache\s*[\d.]+.%.*GPU\s*[\d.]+.%.*CPU\s*[\d.]+.%.*memory\s*[\d.]+.%/s,
    );
    const count = async (color: string) => Number(await page.locator(`.lane b[data-color="${color}"]`).textContent());
    await eventually(() => count('warning')).toBeGreaterThan(3);
    expect(await count('error')).toBeGreaterThan(0);
  });

  test('the p95 of the first token is that of the histogram’s buckets', async () => {
    await openDrawn();
    // In the first quarter of the range, where no incident pushes it out of the buckets.
    const box = await plotBox(page, 'ttft');
    await page.mouse.move(box.x + box.width * 0.2, box.y + 30);
    const p95 = panelOf(page, 'ttft').locator('.legend-entry', { hasText: 'p95' }).locator('.legend-value');
    const seconds = await cursorSeconds(box);
    const shown = (await p95.textContent()) ?? '';
    const stage = 'stage="gateway",first!="reasoning"';
    const answer = await ask(program, '/api/v1/query', {
      query: `sum by (le) (rate(inference_ttft_seconds_bucket{${stage}}[60s]))`,
      time: String(seconds),
    });
    const buckets = (answer.data.result as { metric: { le: string }; value: [number, string] }[])
      .map(({ metric, value }) => ({
        le: metric.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(metric.le),
        count: Number(value[1]),
      }))
      .sort((a, b) => a.le - b.le);
    expect(buckets.length).toBeGreaterThan(10);
    const byHand = quantileOf(buckets, 0.95);
    expect(toSeconds(shown) / byHand).toBeCloseTo(1, 2);
  });

  test('a click opens the lines and traces of that moment, and a trace its semantic spans', async () => {
    await openDrawn();
    const box = await plotBox(page, 'ttft');
    await page.mouse.click(box.x + box.width * 0.9, box.y + 40);
    const drawer = page.locator('.drawer');
    await drawer.locator('.trace-item').first().waitFor();
    await drawer.locator('.log').first().waitFor();
    const atMs = Number(new URL(page.url()).searchParams.get('at'));
    expect((atMs - window.fromMs) / (window.toMs - window.fromMs)).toBeCloseTo(0.9, 1);
    const logs = asked.find(
      ({ pathname, searchParams }) => pathname === '/loki/api/v1/query_range' && searchParams.has('limit'),
    );
    const [start, end] = ['start', 'end'].map((name) => Number(logs?.searchParams.get(name)) / 1e6);
    expect(start).toBeLessThan(atMs);
    expect(end).toBeGreaterThan(atMs);

    await drawer.locator('.trace-item').first().click();
    await page.locator('.bottleneck').waitFor();
    const names = await page.getByRole('option').locator('.span-name').allTextContents();
    for (const stage of ['gateway', 'authenticate', 'prompt_build', 'model_inference', 'queue']) {
      expect(
        names.some((name) => name.includes(stage)),
        `${stage} in ${names.join(', ')}`,
      ).toBe(true);
    }
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await eventually(() => drawer.count()).toBe(0);
  });

  test('a filter is in every query that it can reach, and changes what they draw', async () => {
    await openDrawn();
    const before = new Map<string, number>();
    for (const { id } of panels) before.set(id, await pictureOf(page, id));
    asked = [];
    await page.locator('[data-filter="model_version"]').click();
    await page.getByLabel('llama-3.3-70b-v1', { exact: true }).check();
    await page.keyboard.press('Escape');
    const matcher = 'model_version="llama-3.3-70b-v1"';
    await eventually(() => queries().filter((query) => query.includes(matcher)).length).toBeGreaterThan(18);
    const without = queries().filter((query) => query !== '' && !query.includes('llama-3.3-70b-v1'));
    for (const query of without) expect(query).toContain('node_');
    for (const { id } of panels) {
      await eventually(async () => (await pictureOf(page, id)) !== before.get(id)).toBe(true);
    }
    await expect.poll(() => legendOf('total-latency')).not.toContain('qwen3');
    // GPUs are found through their engines: the model runs on one kind of them.
    expect(await legendOf('gpu-memory')).not.toContain('L40S');
    const unfiltered = panelOf(page, 'saturation').getByRole('button', { name: /not filtered by model_version/ });
    expect(await unfiltered.getAttribute('aria-label')).toContain('CPU, memory');
  });

  test.each([
    ['deployment', 'chat-large'],
    ['customer_tier', 'pro'],
    ['gpu_type', 'NVIDIA L40S'],
    ['region', 'eu-west'],
  ])(
    'a filter by %s leaves something in every panel, and is in every query or said not to be',
    async (label, value) => {
      await openDrawn(`&f.${label}=${encodeURIComponent(value)}`);
      for (const panel of panels) {
        const unreached = unreachedFilters(panel, { [label]: [value] });
        const said = await panelOf(page, panel.id)
          .getByRole('button', { name: new RegExp(`not filtered by ${label}`) })
          .count();
        expect([panel.id, said]).toEqual([panel.id, unreached.length]);
      }
      const ranges = asked.filter(({ pathname }) => pathname === '/api/v1/query_range');
      const reached = ranges.filter(({ searchParams }) => searchParams.get('query')?.includes(`${label}="${value}"`));
      const reachable = panels.flatMap((panel) => {
        const legends = unreachedFilters(panel, { [label]: [value] }).flatMap((one) => one.legends);
        return panel.queries.filter(({ legend }) => !legends.includes(legend));
      });
      expect(new Set(reached.map(({ searchParams }) => searchParams.get('query'))).size).toBe(reachable.length);
    },
  );

  test('a drag zooms into the range, and the URL holds it', async () => {
    await openDrawn();
    await dragOver(page, 'error-rate', 0.5, 0.8);
    const span = () => {
      const { searchParams } = new URL(page.url());
      return Number(searchParams.get('to')) - Number(searchParams.get('from'));
    };
    await eventually(span).toBeLessThan(0.4 * MINUTES * 60_000);
    expect(span()).toBeGreaterThan(0.2 * MINUTES * 60_000);
    const zoomed = page.url();
    await page.reload();
    for (const { id } of panels) await plotOf(page, id).waitFor();
    expect(page.url()).toBe(zoomed);
    expect(await colorsOf(page, 'ttft')).toBeGreaterThan(20);
  });

  /** The moment that the cursor snapped to: the pane opens a click's moment in the URL. */
  async function cursorSeconds(box: { x: number; y: number; width: number }): Promise<number> {
    await page.mouse.click(box.x + box.width * 0.2, box.y + 30);
    await eventually(() => new URL(page.url()).searchParams.has('at')).toBe(true);
    await page.mouse.move(box.x + box.width * 0.2, box.y + 31);
    return Number(new URL(page.url()).searchParams.get('at')) / 1000;
  }
});

/** Linear within the bucket, as Prometheus has it for classic buckets. Counts are cumulative. */
function quantileOf(buckets: readonly { le: number; count: number }[], quantile: number): number {
  const rank = quantile * (buckets.at(-1)?.count ?? 0);
  const at = buckets.findIndex(({ count }) => count >= rank);
  const lower = at === 0 ? { le: 0, count: 0 } : buckets[at - 1];
  return lower.le + ((buckets[at].le - lower.le) * (rank - lower.count)) / (buckets[at].count - lower.count);
}

/** Seconds of a legend's text, such as `173 ms` or `1.10 s`. */
function toSeconds(text: string): number {
  const [, value, unit] = /([\d.]+)\s*(ms|s)/.exec(text) ?? [];
  return Number(value) * (unit === 'ms' ? 0.001 : 1);
}
