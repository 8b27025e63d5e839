/** A running VS Code with the packaged extension, in Chromium. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Browser, FrameLocator, Locator, Page } from 'playwright-core';
import { launchChromium } from '../chromium.ts';
import { PATIENCE, repeatUntil } from '../gestures.ts';

const run = promisify(execFile);

const DRIVER = path.resolve('test/hosts/vscode/driver');

const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'files.autoSave': 'off',
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Light Modern',
  'workbench.tips.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'window.autoDetectColorScheme': false,
  'notebook.output.scrolling': false,
  // code-server's own is not installed; people have one, and it has opinions about cells.
  'typescript.tsdk': path.resolve('node_modules/typescript/lib'),
};

const COMMAND = `vscode.commands.executeCommand(args.name, ...args.args.map((arg) => arg?.file ? vscode.Uri.file(arg.file) : arg))`;

export interface HostOptions {
  readonly server: string;
  readonly chromium: string;
  readonly vsix: string;
  /** Becomes a copy that is the workspace. */
  readonly workspace: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Added to the environment of VS Code's server, which the extension and its kernels inherit. */
  readonly env?: Readonly<Record<string, string>>;
}

export class VsCodeHost {
  readonly page: Page;
  readonly workspace: string;
  readonly #folder: string;
  readonly #server: ChildProcess;
  readonly #browser: Browser;
  readonly #socket: string;

  private constructor(parts: {
    page: Page;
    workspace: string;
    folder: string;
    server: ChildProcess;
    browser: Browser;
    socket: string;
  }) {
    this.page = parts.page;
    this.workspace = parts.workspace;
    this.#folder = parts.folder;
    this.#server = parts.server;
    this.#browser = parts.browser;
    this.#socket = parts.socket;
  }

  /** Installs the extension from its package, and opens a copy of the workspace. */
  static async start({ server, chromium, vsix, workspace, settings, env: more }: HostOptions): Promise<VsCodeHost> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'lens-vscode-'));
    const copy = path.join(folder, 'pictures');
    cpSync(workspace, copy, { recursive: true });
    const data = path.join(folder, 'data');
    const extensions = path.join(folder, 'extensions');
    for (const kind of ['User', 'Machine']) {
      await mkdir(path.join(data, kind), { recursive: true });
      await writeFile(path.join(data, kind, 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
    }
    const socket = path.join(folder, 'driver.sock');
    const env = {
      ...process.env,
      LVLM_LENS_TEST_SOCKET: socket,
      VSCODE_PARENT_PID: '',
      // Neither this checkout nor its packages may be what makes it work.
      NODE_PATH: '',
      // As if started from a shell: else the environment of a login shell takes the place of this one.
      VSCODE_CLI: '1',
      ...more,
    };
    const common = ['--server-data-dir', folder, '--user-data-dir', data, '--extensions-dir', extensions];
    await run(process.execPath, [server, ...common, '--install-extension', vsix, '--force'], { env, cwd: folder });
    cpSync(DRIVER, path.join(extensions, 'test.test-driver-0.0.1'), { recursive: true });
    // Where this list is missing, VS Code takes all that is in the folder: the driver too.
    await rm(path.join(extensions, 'extensions.json'), { force: true });
    const child = spawn(
      process.execPath,
      [
        server,
        ...common,
        '--host',
        '127.0.0.1',
        '--port',
        '0',
        '--without-connection-token',
        '--accept-server-license-terms',
        '--telemetry-level',
        'off',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env, cwd: folder },
    );
    process.once('exit', () => killGroup(child, 'SIGKILL'));
    const port = await portOf(child);
    const browser = await launchChromium(chromium);
    const context = await browser.newContext({
      viewport: { width: 1400, height: 900 },
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const query = new URLSearchParams({ folder: copy });
    await page.goto(`http://localhost:${port}/?${query.toString()}`, { timeout: 300_000 });
    const host = new VsCodeHost({ page, workspace: copy, folder, server: child, browser, socket });
    await host.#extensionHostIsUp();
    return host;
  }

  /** Where the extension is installed. */
  get extensions(): string {
    return path.join(this.#folder, 'extensions');
  }

  /** Runs a function body in the extension host, with `vscode` and `args` in scope. */
  async call<T>(code: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const answer = await post(this.#socket, JSON.stringify({ code, args }));
    const { value, error } = JSON.parse(answer) as { value: T; error?: string };
    if (error !== undefined) throw new Error(`in the extension host: ${error}`);
    return value;
  }

  /**
   * Runs a command of VS Code or of an extension, and waits for its end.
   * @param args `{ file }` becomes the URI that a menu gives
   */
  async command(name: string, ...args: readonly unknown[]): Promise<void> {
    await this.call(`await ${COMMAND}`, { name, args });
  }

  /** Begins a command that asks the user something. */
  async begin(name: string, ...args: readonly unknown[]): Promise<void> {
    await this.call(`void ${COMMAND}`, { name, args });
  }

  /** The path of a file of the workspace. */
  file(...parts: readonly string[]): string {
    return path.join(this.workspace, ...parts);
  }

  /** Shows a notebook of the workspace, and makes it the editor that commands are about. */
  async show(file: string): Promise<void> {
    await this.call(
      `const uri = vscode.Uri.file(args.file);
       await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(uri), { preview: false });`,
      { file },
    );
  }

  /** A picture of the workspace, in the Explorer. */
  async picture(name: string): Promise<Locator> {
    const folder = this.page.getByRole('treeitem', { name: 'images' });
    const picture = this.page.getByRole('treeitem', { name });
    await repeatUntil({ locator: picture }, async (limit) => {
      if ((await folder.getAttribute('aria-expanded', limit)) !== 'true') await folder.click(limit);
    });
    return picture;
  }

  /** Sets a setting of the user's or of the folder's; undefined takes it back. */
  async set(section: string, name: string, value: unknown, target: 'Global' | 'Workspace' = 'Global'): Promise<void> {
    await this.call(
      `const target = vscode.ConfigurationTarget[args.target];
       await vscode.workspace.getConfiguration(args.section).update(args.name, args.value ?? undefined, target)`,
      { section, name, value: value ?? null, target },
    );
  }

  /** The frame that holds the outputs of the notebook that is shown. */
  get outputs(): FrameLocator {
    const shown = this.page.locator('iframe.webview.ready').filter({ visible: true });
    return shown.first().contentFrame().frameLocator('#active-frame');
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    const ended = new Promise((resolve) => this.#server.once('exit', resolve));
    killGroup(this.#server, 'SIGTERM');
    await Promise.race([ended, sleep(3000)]);
    killGroup(this.#server, 'SIGKILL');
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #extensionHostIsUp(): Promise<void> {
    const deadline = Date.now() + 300_000;
    while (!existsSync(this.#socket)) {
      if (Date.now() > deadline) throw new Error('the extension host did not start');
      await sleep(100);
    }
  }
}

function killGroup({ pid, exitCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined || exitCode !== null) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = '';
    const read = (chunk: Buffer): void => {
      log += chunk.toString();
      const port = /Extension host agent listening on (\d+)/.exec(log)?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      reject(new Error(`VS Code's server ended with code ${code ?? ''}: ${log}`));
    });
  });
}

function post(socketPath: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // A connection of its own: one that was kept open may be closed from the other side just now.
    const request = http.request({ socketPath, method: 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve(text);
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
