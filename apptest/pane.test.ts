import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PANE } from '../server/dashboards/index.ts';
import { type PaneFixture, startPaneFixture } from './pane-fixture.ts';
import {
  colorsOf,
  dragOver,
  eventually,
  launchBrowser,
  openPage,
  PANE_IS_BUILT,
  panelOf,
  plotBox,
  plotOf,
} from './pane-page.ts';

// The pane in a real browser, against a server whose answers are formulas of the time. `npm run build:ui` comes first.

const panels = PANE.rows.flatMap((row) => row.panels);
const TO_MS = Date.UTC(2026, 10, 24, 10);
const HOUR = `from=${TO_MS - 3_600_000}&to=${TO_MS}`;

let fixture: PaneFixture;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  if (!PANE_IS_BUILT) return;
  fixture = await startPaneFixture();
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await fixture?.close();
});

beforeEach(async () => {
  if (!PANE_IS_BUILT) return;
  fixture.faults = [];
  fixture.asked.length = 0;
  ({ page, complaints } = await openPage(browser, fixture.url));
});

afterEach(async () => {
  if (!PANE_IS_BUILT) return;
  expect(complaints, 'errors of the page, and requests to anywhere else').toEqual([]);
  await page.close();
});

const panel = (id: string) => panelOf(page, id);
const plot = (id: string) => plotOf(page, id);

async function open(query: string): Promise<void> {
  await page.goto(`${fixture.url}/?${query}`);
  await page.locator('.pane').waitFor();
}

async function openDrawn(query = HOUR): Promise<void> {
  await open(query);
  for (const { id } of panels) await plot(id).waitFor();
}

/** Where a panel's cursor stands, as a share of its plot's width; text, because a browser's types aren't known here. */
function cursorOf(id: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const line = document.querySelector('[data-panel="${id}"] .u-cursor-x');
    return new DOMMatrix(getComputedStyle(line).transform).e / line.parentElement.clientWidth;
  })()`);
}

const params = () => new URL(page.url()).searchParams;
const spanMs = () => Number(params().get('to')) - Number(params().get('from'));

describe.skipIf(!PANE_IS_BUILT)('the pane', () => {
  test.each(['light', 'dark'])('draws every panel in %s', async (theme) => {
    await openDrawn(`${HOUR}&theme=${theme}`);
    for (const { id } of panels) expect(await colorsOf(page, id), id).toBeGreaterThan(20);
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
  });

  test('one cursor stands in all panels, and legends say the values under it', async () => {
    await openDrawn();
    const before = await panel('gpu-temperature').locator('.legend-value').first().textContent();
    const box = await plotBox(page, 'ttft');
    // In the middle of the incident, where every value differs from the latest.
    await page.mouse.move(box.x + box.width * 0.9, box.y + 30);
    await eventually(() => panel('gpu-temperature').locator('.legend-value').first().textContent()).not.toBe(before);
    for (const { id } of panels) {
      expect(await cursorOf(id), id).toBeCloseTo(0.9, 1);
    }
    await page.mouse.move(5, 5);
    await eventually(() => panel('gpu-temperature').locator('.legend-value').first().textContent()).toBe(before);
  });

  test('a drag zooms all panels, and a double click, Esc and the back button undo it', async () => {
    await openDrawn();
    const zoom = async () => {
      await dragOver(page, 'tokens', 0.25, 0.5);
      await eventually(spanMs).toBeLessThan(1_000_000);
    };
    fixture.asked.length = 0;
    await zoom();
    expect(spanMs()).toBeCloseTo(900_000, -5);
    const [from, to] = [Number(params().get('from')) / 1000, Number(params().get('to')) / 1000];
    await eventually(
      () => fixture.asked.filter((url) => url.pathname === '/api/v1/query_range').length,
    ).toBeGreaterThan(15);
    for (const url of fixture.asked.filter((one) => one.pathname === '/api/v1/query_range')) {
      expect(Number(url.searchParams.get('start'))).toBeGreaterThan(from - 60);
      expect(Number(url.searchParams.get('end'))).toBeLessThanOrEqual(to);
    }
    const box = await plotBox(page, 'saturation');
    await page.mouse.dblclick(box.x + 50, box.y + 40);
    await eventually(spanMs).toBe(3_600_000);
    expect(await page.locator('.drawer').count()).toBe(0);

    await zoom();
    await page.keyboard.press('Escape');
    await eventually(spanMs).toBe(3_600_000);
    await zoom();
    await page.goBack();
    await eventually(spanMs).toBe(3_600_000);
  });

  test('a click opens the moment, a trace its waterfall, and the URL brings both back', async () => {
    await openDrawn();
    const box = await plotBox(page, 'ttft');
    await page.mouse.click(box.x + box.width * 0.5, box.y + 40);
    const drawer = page.locator('.drawer');
    await drawer.locator('.trace-item').first().waitFor();
    expect(await drawer.locator('.trace-item').count()).toBe(12);
    expect(await drawer.locator('.log').count()).toBe(40);
    await eventually(() => drawer.locator('.trace-bottleneck').nth(1).textContent()).toMatch(/queue 55/);

    await drawer.locator('.log-line').first().click();
    await drawer.getByText('Open its trace').waitFor();
    await drawer.locator('.trace-item').nth(1).click();
    await page.locator('.bottleneck').getByText('queue took the largest part').waitFor();
    const spans = page.getByRole('option');
    expect(await spans.count()).toBe(9);
    await page.getByRole('listbox').focus();
    // The bottleneck is chosen at first; one up is the call of the model.
    expect(await spans.nth(5).getAttribute('aria-selected')).toBe('true');
    await page.keyboard.press('ArrowUp');
    expect(await spans.nth(4).getAttribute('aria-selected')).toBe('true');
    await page.locator('.span-details').getByText('gen_ai.usage.input_tokens').waitFor();

    await page.reload();
    await page.locator('.bottleneck').waitFor();
    await page.keyboard.press('Escape');
    await drawer.locator('.trace-item').first().waitFor();
    await page.keyboard.press('Escape');
    await eventually(() => drawer.count()).toBe(0);
    expect(spanMs()).toBe(3_600_000);
  });

  test('works by keyboard alone', async () => {
    await openDrawn();
    await page.keyboard.press('?');
    await page.getByText('Keyboard shortcuts').waitFor();
    await page.keyboard.press('Escape');
    await eventually(() => page.locator('dialog[open]').count()).toBe(0);

    await panel('error-rate').getByRole('application').focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Alt+ArrowLeft');
    await page.keyboard.press('Enter');
    await page.locator('.drawer .trace-item').first().waitFor();
    expect(params().get('panel')).toBe('error-rate');
    expect(Number(params().get('at'))).toBe(TO_MS - 10 * 30_000);
    await page.keyboard.press('Escape');
    // The focus is back where it came from.
    expect(await page.evaluate("document.activeElement?.closest('[data-panel]')?.dataset.panel")).toBe('error-rate');

    await page.keyboard.press('3');
    await eventually(() => params().get('range')).toBe('6h');
    await page.keyboard.press('[');
    await eventually(spanMs).toBe(6 * 3_600_000);
    await page.keyboard.press('t');
    await eventually(() => page.locator('html').getAttribute('data-theme')).toBe('dark');
    await page.reload();
    await eventually(() => page.locator('html').getAttribute('data-theme')).toBe('dark');
    await plot('ttft').waitFor();
    await page.keyboard.press('f');
    await page.keyboard.press('Enter');
    await page.getByRole('checkbox').first().waitFor();
    await page.keyboard.press('Space');
    await eventually(() => params().get('f.model_version')).toBe('llama-3.3-70b');
  });

  test('filters reach the queries that carry the label, and the others say that they don’t', async () => {
    await openDrawn();
    fixture.asked.length = 0;
    await page.locator('[data-filter="customer_tier"]').click();
    await page.getByLabel('pro', { exact: true }).check();
    await page.getByLabel('free', { exact: true }).check();
    const unfiltered = (id: string) => panel(id).getByRole('button', { name: /not filtered by customer_tier/ });
    await unfiltered('gpu-memory').waitFor();
    expect(await unfiltered('saturation').getAttribute('aria-label')).toContain('the metrics of this panel don’t');
    expect(await unfiltered('ttft').count()).toBe(0);
    const queries = () => fixture.asked.map((url) => url.searchParams.get('query') ?? '');
    await eventually(() => queries().filter((q) => q.includes('customer_tier=~"free|pro"')).length).toBeGreaterThan(8);
    expect(queries().some((q) => q.includes('DCGM') && q.includes('customer_tier'))).toBe(false);
  });

  test('each panel fails, waits, is empty or partial by itself', async () => {
    fixture.faults = [
      { match: 'inference_ttft', kind: 'error' },
      { match: 'by (le, model_version)', kind: 'slow' },
      { match: 'inference_token_count', kind: 'empty' },
      { match: 'inference_tokens_total', kind: 'warning' },
    ];
    await open(HOUR);
    await panel('ttft').getByText('the limit is 50,000,000').waitFor();
    await panel('token-distribution').getByText('Nothing in this range').waitFor();
    await panel('token-distribution').getByText('inference_token_count').waitFor();
    await plot('tokens').waitFor();
    await panel('tokens')
      .getByRole('button', { name: /Partial: model_version: 14 %/ })
      .waitFor();
    await plot('gpu-memory').waitFor();
    expect(await panel('total-latency').getByRole('status').count()).toBe(1);
    fixture.faults = [];
    await panel('ttft').getByText('Try again').click();
    await plot('ttft').waitFor();
  });

  test('keeps what was known while the server is lost, says so, and comes back by itself', async () => {
    await openDrawn('range=15m');
    await page.route('**/api/**', (route) => route.abort());
    await page.locator('.lost').getByText('No answer since').waitFor();
    await panel('ttft')
      .getByRole('button', { name: /^Stale, try again: No answer/ })
      .waitFor();
    expect(await colorsOf(page, 'ttft')).toBeGreaterThan(20);
    await page.unroute('**/api/**');
    await eventually(() => page.locator('.lost').count()).toBe(0);
    await eventually(() => page.getByRole('button', { name: /^Stale/ }).count()).toBe(0);
  });

  test('goes on live with the newest moments only, and holds still while it is pointed at', async () => {
    await openDrawn('range=15m');
    const ranges = () => fixture.asked.filter((url) => url.pathname === '/api/v1/query_range');
    await page.waitForTimeout(300);
    fixture.asked.length = 0;
    await eventually(() => ranges().length).toBeGreaterThan(10);
    for (const url of ranges()) {
      const [start, end] = ['start', 'end'].map((name) => Number(url.searchParams.get(name)));
      expect(end - start).toBeLessThanOrEqual(150);
    }
    const box = await plotBox(page, 'ttft');
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.getByRole('button', { name: 'Held' }).waitFor();
    await page.mouse.move(5, 5);
    await page.getByRole('button', { name: 'Live' }).waitFor();
  });
});
