/**
 * Makes the pictures of the extension's walkthrough, in a real VS Code with the packaged extension:
 *
 *     npm run build && node --import tsx docs/walkthrough.ts
 */
import { cpSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { setUpChromium } from '../test/hosts/chromium.ts';
import { VsCodeHost } from '../test/hosts/vscode/host.ts';
import { packagedExtension } from '../test/hosts/vscode/packaged-extension.ts';
import { setUpVsCode } from '../test/hosts/vscode/setup.ts';

const MEDIA = fileURLToPath(new URL('../extension/media/', import.meta.url));

const THEMES: Readonly<Record<string, string>> = {
  light: 'Default Light Modern',
  dark: 'Default Dark Modern',
  hc: 'Default High Contrast',
};

interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const vscode = await setUpVsCode();
if ('missing' in vscode) throw new Error(vscode.missing);
const chromium = await setUpChromium();
if ('missing' in chromium) throw new Error(chromium.missing);
const workspace = await mkdtemp(path.join(os.tmpdir(), 'lens-walkthrough-'));
cpSync('notebooks/images', path.join(workspace, 'images'), { recursive: true });
cpSync('notebooks/quickstart.ipynb', path.join(workspace, 'quickstart.ipynb'));
const vsix = await packagedExtension();
const host = await VsCodeHost.start({ server: vscode.server, chromium: chromium.path, vsix, workspace });
const { page } = host;
page.setDefaultTimeout(120_000);

/** A part of the window, in few enough colours to be small. */
async function take(name: string, clip: Region): Promise<void> {
  const picture = await page.screenshot({ clip });
  await writeFile(path.join(MEDIA, `${name}.png`), await sharp(picture).png({ palette: true, quality: 90 }).toBuffer());
}

async function open(file: string): Promise<void> {
  await host.call(
    `const uri = vscode.Uri.file(args.file);
     await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(uri));
     const top = vscode.NotebookEditorRevealType.AtTop;
     vscode.window.activeNotebookEditor.revealRange(new vscode.NotebookRange(2, 3), top);`,
    { file: path.join(host.workspace, file) },
  );
}

try {
  await open('quickstart.ipynb');
  await host.outputs.locator('.heat').first().waitFor();
  for (const [name, theme] of Object.entries(THEMES)) {
    await host.call(`await vscode.workspace.getConfiguration('workbench').update('colorTheme', args.theme, true)`, {
      theme,
    });
    await sleep(2000);
    await page.mouse.move(1200, 895);
    await sleep(500);
    await take(`quickstart-${name}`, { x: 0, y: 34, width: 1400, height: 846 });
    await host.outputs.locator('.chip.mapped').nth(1).hover();
    await sleep(800);
    await take(`explanation-${name}`, { x: 385, y: 225, width: 1000, height: 460 });

    const images = page.getByRole('treeitem', { name: 'images' });
    if ((await images.getAttribute('aria-expanded')) !== 'true') await images.click();
    await page.getByRole('treeitem', { name: 'cafe.png' }).click({ button: 'right' });
    await page.getByText('Explain This Image…').hover();
    await sleep(500);
    await take(`explain-image-${name}`, { x: 0, y: 34, width: 640, height: 480 });
    await page.keyboard.press('Escape');

    await host.call(`void vscode.commands.executeCommand('lvlmLens.selectModel')`);
    await page.getByText('comes with LVLM Lens').filter({ visible: true }).first().waitFor();
    await sleep(500);
    await take(`model-${name}`, { x: 380, y: 0, width: 640, height: 360 });
    await page.keyboard.press('Escape');

    const exported = path.join(host.workspace, 'quickstart.html');
    await host.call(
      `const { execFileSync } = process.getBuiltinModule('node:child_process');
       const { extensionPath } = vscode.extensions.getExtension('lvlm-lens.lvlm-lens');
       execFileSync('node', [extensionPath + '/dist/lvlm-lens.js', 'export', args.notebook, '-o', args.exported]);`,
      { notebook: path.join(host.workspace, 'quickstart.ipynb'), exported },
    );
    const tab = await page.context().newPage();
    await tab.setViewportSize({ width: 1000, height: 760 });
    await tab.emulateMedia({
      colorScheme: name === 'light' ? 'light' : 'dark',
      contrast: name === 'hc' ? 'more' : null,
    });
    await tab.goto(pathToFileURL(exported).href);
    await tab.locator('.heat').first().scrollIntoViewIfNeeded();
    await tab.evaluate(() => document.querySelector('.lvlm-lens')?.scrollIntoView());
    await sleep(800);
    const picture = sharp(await tab.screenshot()).png({ palette: true, quality: 90 });
    await writeFile(path.join(MEDIA, `export-${name}.png`), await picture.toBuffer());
    await tab.close();
    await page.bringToFront();
  }
  for (const name of ['quickstart', 'explanation', 'explain-image', 'model', 'export']) {
    const sizes = await Promise.all(
      Object.keys(THEMES).map((theme) => readFile(path.join(MEDIA, `${name}-${theme}.png`))),
    );
    console.log(name, sizes.map(({ length }) => `${Math.round(length / 1000)} kB`).join(', '));
  }
} finally {
  await host.stop();
  await rm(workspace, { recursive: true, force: true });
}
