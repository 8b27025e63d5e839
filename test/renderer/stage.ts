/** A page in Chromium with the view on it. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { LensDocument } from '../../kernel/document.ts';
import { launchChromium, setUpChromium } from '../hosts/chromium.ts';
import { skipBecause } from '../skip.ts';

/** Opens a browser for a suite, or skips the suite and says why. */
export async function openBrowser(context: Mocha.Context, suite: string): Promise<Browser> {
  context.timeout(360_000);
  const found = await setUpChromium();
  if ('missing' in found) return skipBecause(context, suite, found.missing);
  return launchChromium(found.path);
}

/** Bundles an entry of the renderer as the build does. */
export async function bundle(entry: 'index' | 'page' | 'jupyterlab/index', format: 'esm' | 'iife'): Promise<string> {
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

export interface Host {
  readonly width?: number;
  /** Classes of the body, as hosts set them. */
  readonly bodyClass?: string;
  /** Custom properties of the body, likewise. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly colorScheme?: 'light' | 'dark';
  readonly background?: string;
  readonly foreground?: string;
  readonly reducedMotion?: 'reduce' | 'no-preference';
}

/** Surroundings as VS Code's own themes make them, and two without any host. */
export const HOSTS = {
  light: { colorScheme: 'light', background: '#ffffff' },
  dark: { colorScheme: 'dark', background: '#1c1b19', foreground: '#e9e5de' },
  'VS Code dark': {
    bodyClass: 'vscode-dark',
    background: '#1f1f1f',
    foreground: '#cccccc',
    variables: {
      '--vscode-foreground': '#cccccc',
      '--vscode-descriptionForeground': '#9d9d9d',
      '--vscode-editor-background': '#1f1f1f',
      '--vscode-focusBorder': '#0078d4',
      '--vscode-dropdown-background': '#313131',
      '--vscode-dropdown-foreground': '#cccccc',
      '--vscode-dropdown-border': '#3c3c3c',
      '--vscode-panel-border': '#2b2b2b',
      '--vscode-button-secondaryBackground': '#313131',
      '--vscode-button-secondaryForeground': '#cccccc',
    },
  },
  'VS Code light': {
    bodyClass: 'vscode-light',
    background: '#ffffff',
    variables: {
      '--vscode-foreground': '#3b3b3b',
      '--vscode-descriptionForeground': '#3b3b3b',
      '--vscode-editor-background': '#ffffff',
      '--vscode-focusBorder': '#005fb8',
      '--vscode-dropdown-background': '#ffffff',
      '--vscode-dropdown-foreground': '#3b3b3b',
      '--vscode-dropdown-border': '#cecece',
      '--vscode-panel-border': '#e5e5e5',
      '--vscode-button-secondaryBackground': '#e5e5e5',
      '--vscode-button-secondaryForeground': '#3b3b3b',
    },
  },
  'VS Code high contrast': {
    bodyClass: 'vscode-high-contrast',
    background: '#000000',
    foreground: '#ffffff',
    variables: {
      '--vscode-foreground': '#ffffff',
      '--vscode-editor-background': '#000000',
      '--vscode-focusBorder': '#f38518',
      '--vscode-contrastBorder': '#6fc3df',
      '--vscode-contrastActiveBorder': '#f38518',
      '--vscode-dropdown-background': '#000000',
      '--vscode-dropdown-foreground': '#ffffff',
      '--vscode-dropdown-border': '#6fc3df',
      '--vscode-button-secondaryForeground': '#ffffff',
    },
  },
  'VS Code high contrast light': {
    bodyClass: 'vscode-high-contrast-light vscode-high-contrast',
    background: '#ffffff',
    variables: {
      '--vscode-foreground': '#292929',
      '--vscode-editor-background': '#ffffff',
      '--vscode-focusBorder': '#006bbd',
      '--vscode-contrastBorder': '#0f4a85',
      '--vscode-contrastActiveBorder': '#006bbd',
      '--vscode-dropdown-background': '#ffffff',
      '--vscode-dropdown-foreground': '#292929',
      '--vscode-dropdown-border': '#0f4a85',
      '--vscode-button-secondaryForeground': '#292929',
    },
  },
} as const satisfies Record<string, Host>;

interface RendererModule {
  activate(context: object): {
    renderOutputItem(item: { id: string; json: () => unknown }, host: Element): void;
    disposeOutputItem(id?: string): void;
  };
}

type StageWindow = Window & { stage: ReturnType<RendererModule['activate']>; owned?: unknown };

const HTML =
  '<!doctype html><html lang="en"><head><title>Stage</title></head>' +
  '<body><main><h1>Output</h1><div id="output"></div></main></body></html>';

/** A page on which the notebook renderer is active and has drawn nothing yet. */
export async function emptyStage(browser: Browser, script: string, host: Host = {}): Promise<Page> {
  const { width = 1000, bodyClass = '', variables = {}, background = '', foreground = '' } = host;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: host.colorScheme ?? 'light',
    reducedMotion: host.reducedMotion ?? 'reduce',
  });
  const page = await context.newPage();
  await page.setContent(HTML);
  // tsx wraps named functions in a function that the page does not have.
  await page.evaluate('globalThis.__name = (named) => named');
  await page.evaluate(
    ([name, style, paper, ink]) => {
      document.body.className = name;
      for (const [variable, value] of Object.entries(style)) document.body.style.setProperty(variable, value);
      document.body.style.background = paper;
      document.body.style.color = ink;
    },
    [bodyClass, variables, background, foreground] as const,
  );
  await page.evaluate(async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const { activate } = (await import(url)) as RendererModule;
    (window as unknown as StageWindow).stage = activate({});
  }, script);
  return page;
}

/** Has the renderer draw a value, as a notebook does. @returns the name of the error that it threw, if it did */
export async function draw(page: Page, value: unknown): Promise<string | undefined> {
  return page.evaluate((json) => {
    try {
      (window as unknown as StageWindow).stage.renderOutputItem(
        { id: 'one', json: () => json },
        document.querySelector('#output')!,
      );
      return undefined;
    } catch (error) {
      return (error as Error).name;
    }
  }, value);
}

/** Has the renderer take its output away. */
export async function dispose(page: Page): Promise<void> {
  await page.evaluate(() => (window as unknown as StageWindow).stage.disposeOutputItem('one'));
}

/** A page on which the renderer has drawn a document. */
export async function stage(browser: Browser, script: string, lens: LensDocument, host: Host = {}): Promise<Page> {
  const page = await emptyStage(browser, script, host);
  const error = await draw(page, lens);
  if (error !== undefined) throw new Error(`the renderer refused the document: ${error}`);
  return page;
}

const require = createRequire(import.meta.url);

/** What axe-core finds wrong on the page, or in a part of it, one line for each kind of fault. */
export async function axeFindings(page: Page, part?: string): Promise<readonly string[]> {
  await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations } = (await page.evaluate(`axe.run(${part ? JSON.stringify(part) : ''})`)) as AxeResults;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}
