/** What readers do with the view, and what they then see. */
import assert from 'node:assert/strict';
import { rgb } from 'd3-color';
import { interpolateViridis } from 'd3-scale-chromatic';
import type { Download, Locator, Page } from 'playwright-core';
import type { SaliencyMap } from '../../kernel/document.ts';

/** The canvas's pixels at the centres of a grid's cells, RGBA, row-major. */
export async function pixelsOf(
  page: Page,
  rows: number,
  cols: number,
  panel = 0,
  selector = '.heat',
): Promise<readonly (readonly number[])[]> {
  return page
    .locator(selector)
    .nth(panel)
    .evaluate(
      (canvas, [down, across]) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
        return Array.from({ length: down * across }, (_, cell) => {
          const x = Math.floor((((cell % across) + 0.5) / across) * width);
          const y = Math.floor(((Math.floor(cell / across) + 0.5) / down) * height);
          return [...data.slice((y * width + x) * 4, (y * width + x) * 4 + 4)];
        });
      },
      [rows, cols] as const,
    );
}

/** The opacities at the centres of the cells, 0 … 255. */
export async function opacitiesOf(page: Page, panel = 0): Promise<readonly number[]> {
  return (await pixelsOf(page, 32, 32, panel)).map((pixel) => pixel[3]!);
}

/** Compares the canvas at the centre of every cell with what the values say, worked out anew. @param values row-major */
export async function assertShowsValues(
  page: Page,
  rows: number,
  cols: number,
  values: readonly number[],
  panel = 0,
): Promise<void> {
  const pixels = await pixelsOf(page, rows, cols, panel);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  for (let cell = 0; cell < rows * cols; cell++) {
    const pixel = pixels[cell]!;
    const level = (values[cell]! - low) / (high - low);
    const alpha = 255 * 0.7 * level ** 0.8;
    const place = `row ${Math.floor(cell / cols)}, column ${cell % cols}`;
    assert.ok(Math.abs(pixel[3]! - alpha) < 12, `${place}: opacity ${pixel[3]} and not ${alpha}`);
    // Where there is hardly any opacity, the canvas cannot hold the colour.
    if (alpha < 60) continue;
    const { r, g, b } = rgb(interpolateViridis(level));
    const off = Math.max(Math.abs(pixel[0]! - r), Math.abs(pixel[1]! - g), Math.abs(pixel[2]! - b));
    assert.ok(off < 24, `${place}: colour ${pixel.slice(0, 3)} and not ${[r, g, b]}`);
  }
}

/** The same for a map's bytes. */
export async function assertShows(page: Page, map: SaliencyMap, panel = 0): Promise<void> {
  await assertShowsValues(page, map.rows, map.cols, [...Buffer.from(map.data, 'base64')], panel);
}

export const chip = (page: Page, text: string): Locator =>
  page.locator('.chip', { hasText: new RegExp(`^${text}`) }).first();

export async function texts(page: Page, selector: string): Promise<string[]> {
  return page.locator(selector).evaluateAll((found) => found.map((one) => one.firstChild?.textContent ?? ''));
}

export async function pointAt(page: Page, { u, v }: { u: number; v: number }, panel = 0): Promise<void> {
  const box = (await page.locator('.ground').nth(panel).boundingBox())!;
  await page.mouse.move(box.x + box.width * u, box.y + box.height * v);
}

/** Chooses one of the values that are all in sight. */
export async function choose(page: Page, control: string): Promise<void> {
  await page.locator(`label:has([data-control="${control}"])`).first().click();
}

/** Moves the pointer off the view. */
export async function leave(page: Page): Promise<void> {
  await page.mouse.move(2, 2);
}

/** Presses a button and takes the file that it offers. */
export async function fileFrom(page: Page, selector: string): Promise<{ name: string; content: Buffer }> {
  const [download]: [Download, unknown] = await Promise.all([
    page.waitForEvent('download'),
    page.locator(selector).click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return { name: download.suggestedFilename(), content: Buffer.concat(chunks) };
}
