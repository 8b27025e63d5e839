/** A page in Chromium with the view on it. */
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { LensDocument } from '../../kernel/document.ts';

/** Bundles an entry of the renderer as the build does. */
export async function bundle(entry: 'index' | 'page', format: 'esm' | 'iife'): Promise<string> {
  const result = await build({
    entryPoints: [`renderer/${entry}.ts`],
    bundle: true,
    write: false,
    minify: true,
    format,
    target: 'es2022',
    platform: 'browser',
    logLevel: 'silent',
  });
  return result.outputFiles[0]!.text;
}

export interface StageOptions {
  readonly width?: number;
  readonly bodyClass?: string;
  /** CSS custom properties on the body, as hosts set them. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly colorScheme?: 'light' | 'dark';
  readonly background?: string;
}

/** A page on which the VS Code renderer has drawn a document, as a notebook does it. */
export async function stage(
  browser: Browser,
  script: string,
  lens: LensDocument,
  options: StageOptions = {},
): Promise<Page> {
  const { width = 1000, bodyClass = '', variables = {}, colorScheme = 'light', background = '' } = options;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme,
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.setContent(
    '<!doctype html><html lang="en"><title>Stage</title><body><main><h1>Output</h1><div id="output"></div></main>',
  );
  // tsx wraps named functions in a function that the page does not have.
  await page.evaluate('globalThis.__name = (named) => named');
  await page.evaluate(
    ([name, style, paper]) => {
      document.body.className = name;
      for (const [variable, value] of Object.entries(style)) document.body.style.setProperty(variable, value);
      if (paper) document.body.style.background = paper;
    },
    [bodyClass, variables, background] as const,
  );
  await page.evaluate(
    ([source, value]) => {
      const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
      return import(url).then(
        (module: { activate: (context: object) => { renderOutputItem: (item: object, host: Element) => void } }) => {
          const host = document.querySelector('#output')!;
          module.activate({}).renderOutputItem({ id: 'one', json: () => value }, host);
        },
      );
    },
    [script, lens] as const,
  );
  return page;
}
