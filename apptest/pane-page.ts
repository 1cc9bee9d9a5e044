import { existsSync } from 'node:fs';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type Locator, type Page, chromium as playwright } from 'playwright-core';
import { expect } from 'vitest';

/** Whether the pane has been built; `npm run build:ui` does. */
export const PANE_IS_BUILT = existsSync(join(import.meta.dirname, '../ui/dist/index.html'));

/** A browser that npm installed. */
export async function launchBrowser(): Promise<Browser> {
  return await playwright.launch({
    executablePath: await chromium.executablePath(),
    // One process for everything would end with the first page that is closed.
    args: [...chromium.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'), '--no-sandbox'],
    headless: true,
  });
}

/** A page of 1280 by 800 pixels, and what it complained of: its errors, and requests to anywhere but `origin`. */
export async function openPage(browser: Browser, origin: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, timezoneId: 'UTC' });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  return { page, complaints };
}

export function panelOf(page: Page, id: string): Locator {
  return page.locator(`[data-panel="${id}"]`);
}

/** Where a panel's mouse events go; it is there once the chart is drawn. */
export function plotOf(page: Page, id: string): Locator {
  return panelOf(page, id).locator('.u-over');
}

export async function plotBox(page: Page, id: string) {
  await plotOf(page, id).waitFor();
  const box = await plotOf(page, id).boundingBox();
  if (!box) throw new Error(`panel ${id} has no plot`);
  return box;
}

/** Drags over a panel from one share of its width to another. */
export async function dragOver(page: Page, id: string, fromShare: number, toShare: number): Promise<void> {
  const box = await plotBox(page, id);
  await page.mouse.move(box.x + box.width * fromShare, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * toShare, box.y + 60, { steps: 5 });
  await page.mouse.up();
}

// What runs in the page is text, because these tests are compiled without a browser's types.

/** How many different colours a panel's canvas holds; an empty chart has few. */
export function colorsOf(page: Page, id: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('[data-panel="${id}"] canvas');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) {
      if (pixels[i + 3] > 0) seen.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
    }
    return seen.size;
  })()`);
}

/** A number that changes with any pixel of a panel's canvas. */
export function pictureOf(page: Page, id: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('[data-panel="${id}"] canvas');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let hash = 0x811c9dc5;
    for (const value of pixels) hash = Math.imul(hash ^ value, 0x01000193);
    return hash;
  })()`);
}

/** Asks until it is so; a busy machine may take its time, and nothing here is about how much. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { timeout: 25_000 });
}
