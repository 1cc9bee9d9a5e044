import fs from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { launchBrowser, openPage, PANE_IS_BUILT } from './pane-page.ts';
import { type Program, startProgram, temporaryDirectory } from './program.ts';

// The cardinality page in a real browser, against the real program. `npm run build:ui` comes first.

let data: string;
let program: Program;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  if (!PANE_IS_BUILT) return;
  data = temporaryDirectory();
  program = await startProgram(data);
  await write([
    ...Array.from({ length: 2000 }, (_, i) => ({
      __name__: 'leak_total',
      job: 'shop',
      request_id: `r${i}`,
      region: 'eu',
    })),
    ...Array.from({ length: 40 }, (_, i) => ({ __name__: 'cart_items', job: 'cart', region: `zone-${i}` })),
    { __name__: 'quiet_total', job: 'cart' },
  ]);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await program?.stop();
  if (data) fs.rmSync(data, { recursive: true, force: true });
});

beforeEach(async () => {
  if (!PANE_IS_BUILT) return;
  ({ page, complaints } = await openPage(browser, program.url));
});

afterEach(async () => {
  if (!PANE_IS_BUILT) return;
  expect(complaints, 'errors of the page, and requests to anywhere else').toEqual([]);
  await page.close();
});

async function write(series: Record<string, string>[]): Promise<void> {
  const body = encodeWriteRequest({
    series: series.map(labelsFromRecord),
    sampleSeries: Uint32Array.from(series, (_, i) => i),
    sampleTimestampMs: Float64Array.from(series, () => Date.now()),
    sampleValue: Float64Array.from(series, () => 1),
  });
  const answer = await fetch(`${program.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: Buffer.from(snappyCompress(body)),
  });
  expect(answer.status).toBe(204);
}

async function open(query = ''): Promise<void> {
  await page.goto(`${program.url}/?view=cardinality${query}`);
  await page.locator('[data-list="metrics"] [data-row]').first().waitFor();
}

const rows = (list: string) => page.locator(`[data-list="${list}"] .row-name`).allInnerTexts();

describe.skipIf(!PANE_IS_BUILT)('the cardinality page', () => {
  test('shows what leaks first, who sent it, and which budget it broke', async () => {
    await open();
    expect((await rows('metrics'))[0]).toBe('leak_total');
    expect((await rows('labels'))[0]).toBe('request_id');
    expect(await rows('rules')).toEqual(['removed request_id', 'folded region by budget']);
    expect((await rows('senders')).sort()).toEqual(['cart', 'shop']);
    expect(await rows('budgets')).toEqual(['region cart_items']);
  });

  test('tells cost by a label, by a key and by its link, and what dropping one would save', async () => {
    await open();
    await page.keyboard.press('s');
    await page.locator('[data-list="cost"] .list-row').first().waitFor();
    expect(page.url()).toContain('cost=team');
    expect(await rows('cost')).toEqual(['(none)']);
    await page.getByRole('button', { name: 'service', exact: true }).click();
    await expect.poll(() => rows('cost'), { timeout: 10_000 }).toContain('cart');
    expect(page.url()).toContain('cost=service');
    expect(await rows('savings')).toContain('region from cart_*');
    await page.getByRole('button', { name: /^Dropping region from cart_\*/ }).click();
    await page.getByRole('complementary', { name: 'The label region' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Series', exact: true }).click();
    await page.locator('[data-list="metrics"] [data-row]').first().waitFor();
    expect(page.url()).not.toContain('cost=');
  });

  test('answers cost as CSV, and refuses a label that it doesn’t know', async () => {
    const url = `${program.url}/api/barograph/v1/cost`;
    const csv = await fetch(`${url}?by=service`, { headers: { accept: 'text/csv' } });
    expect(csv.headers.get('content-type')).toContain('text/csv');
    expect((await csv.text()).split('\r\n')[0]).toMatch(/^service,series,samples_per_minute,/);
    const refused = await fetch(`${url}?by=user`);
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('accepted is team, service')]);
  });

  test('is found from the pane by a key and by its tab, and leads back', async () => {
    await page.goto(program.url);
    await page.locator('.pane').waitFor();
    await page.keyboard.press('c');
    await page.locator('.explorer').waitFor();
    expect(page.url()).toContain('view=cardinality');
    await page.getByRole('button', { name: 'Pane', exact: true }).click();
    await page.locator('.pane').waitFor();
    await page.goBack();
    await page.locator('.explorer').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.pane').waitFor();
  });

  test('goes by the keyboard: search, rows, details, help', async () => {
    await open();
    await page.keyboard.press('/');
    await page.keyboard.type('leak');
    await expect.poll(() => rows('metrics'), { timeout: 10_000 }).toEqual(['leak_total']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const drawer = page.getByRole('complementary', { name: 'The metric leak_total' });
    await drawer.locator('.list-row').first().waitFor();
    expect(await drawer.textContent()).toContain('removed by request_id');
    expect(page.url()).toContain('metric=leak_total');
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor({ state: 'detached' });
    expect(page.url()).toContain('view=cardinality');
  });

  test('opens a label by its link, in the dark too', async () => {
    await open('&label=region&theme=dark');
    const drawer = page.getByRole('complementary', { name: 'The label region' });
    await drawer.locator('[data-list="label-values"] .list-row').first().waitFor();
    expect(await drawer.textContent()).toContain('zone-1');
    await drawer.getByRole('button', { name: 'cart_items' }).click();
    await page.getByRole('complementary', { name: 'The metric cart_items' }).waitFor();
    expect(await page.evaluate<string>('document.documentElement.dataset.theme')).toBe('dark');
  });
});
