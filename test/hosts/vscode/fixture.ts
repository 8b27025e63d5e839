/** A VS Code that suites share: its start takes about ten seconds. */
import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseNotebook } from '../../../kernel/jupyter/notebook.ts';
import { HubServer } from '../../hub/hub-server.ts';
import { skipBecause } from '../../skip.ts';
import { setUpChromium } from '../chromium.ts';
import { PATIENCE } from '../gestures.ts';
import '../ahead.ts';
import { VsCodeHost } from './host.ts';
import { packagedExtension } from './packaged-extension.ts';
import { setUpVsCode } from './setup.ts';

/** Pictures of what people see are written here. */
const SCREENSHOTS = path.resolve('out', 'screenshots', 'vscode');

/** What tests of one suite work with. */
export interface Fixture {
  /** With a folder that holds `quickstart.ipynb`, not executed, `executed.ipynb` and `images/`, and no node_modules above or beside it. */
  readonly host: VsCodeHost;
  /** Where this VS Code downloads models from. */
  readonly hub: HubServer;
  /** Belongs to this VS Code: what Jupyter and the Hub keep for a user is in it. */
  readonly home: string;
  screenshot(name: string): Promise<unknown>;
}

interface Kind {
  readonly settings: Readonly<Record<string, unknown>>;
  /** Suites that are still to come. */
  suites: number;
  fixture?: Promise<Fixture> | undefined;
}

/** Whether VS Code trusts the folder that is open. */
const KINDS = {
  trusted: { settings: {}, suites: 0 } as Kind,
  untrusted: {
    settings: { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' },
    suites: 0,
  } as Kind,
};

/**
 * A suite in a VS Code that has the packaged extension. It is started by the first suite of its kind and stopped after the last.
 * @param tests gets what is there once the suite runs
 */
export function describeInVsCode(
  title: string,
  tests: (fixture: () => Fixture) => void,
  trust: keyof typeof KINDS = 'trusted',
): void {
  const kind = KINDS[trust];
  kind.suites++;
  describe(`VS Code: ${title}`, function () {
    this.timeout(2 * PATIENCE);
    let fixture: Fixture;

    before(async function () {
      this.timeout(1_200_000);
      if (process.platform === 'win32') skipBecause(this, 'VS Code', 'its server is driven over a Unix socket');
      const chromium = await setUpChromium();
      if ('missing' in chromium) skipBecause(this, 'VS Code', chromium.missing);
      const vscode = await setUpVsCode();
      if ('missing' in vscode) skipBecause(this, 'VS Code', vscode.missing);
      fixture = await (kind.fixture ??= start(vscode.server, chromium.path, kind));
    });

    afterEach(async function () {
      if (this.currentTest?.state !== 'failed' || !fixture) return;
      await fixture.screenshot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`);
      // What it left open must not be what the next one meets.
      for (let open = 0; open < 3; open++) await fixture.host.page.keyboard.press('Escape');
      await fixture.host.command('notifications.clearAll');
    });

    tests(() => fixture);

    // After those of the tests themselves, which still need it.
    after(async function () {
      this.timeout(PATIENCE);
      if (--kind.suites === 0) await stop(kind);
    });
  });
}

// Where some suites are left out, the last of them does not come.
after(async function () {
  this.timeout(PATIENCE);
  await Promise.all(Object.values(KINDS).map(stop));
});

async function start(server: string, chromium: string, { settings }: Kind): Promise<Fixture> {
  const vsix = await packagedExtension();
  const home = await mkdtemp(path.join(os.tmpdir(), 'lens-vscode-home-'));
  const workspace = await makeWorkspace(home);
  const hub = await HubServer.start();
  const env = {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: path.join(home, 'huggingface'),
    HF_HUB_CACHE: '',
    JUPYTER_DATA_DIR: path.join(home, 'jupyter'),
  };
  const host = await VsCodeHost.start({ server, chromium, vsix, workspace, settings, env });
  await mkdir(SCREENSHOTS, { recursive: true });
  return {
    host,
    hub,
    home,
    screenshot: (name) => host.page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) }),
  };
}

async function stop(kind: Kind): Promise<void> {
  const fixture = kind.fixture;
  kind.fixture = undefined;
  const { host, hub, home } = (await fixture?.catch(() => undefined)) ?? {};
  await host?.stop();
  await hub?.stop();
  if (home !== undefined) await rm(home, { recursive: true, force: true, maxRetries: 3 });
}

async function makeWorkspace(home: string): Promise<string> {
  const folder = path.join(home, 'workspace');
  cpSync('notebooks/images', path.join(folder, 'images'), { recursive: true });
  const { notebook } = parseNotebook(await readFile('notebooks/quickstart.ipynb', 'utf8'), 'quickstart.ipynb');
  await writeFile(path.join(folder, 'executed.ipynb'), JSON.stringify(notebook));
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === 'code' ? { ...cell, outputs: [], execution_count: null } : cell,
  );
  await writeFile(path.join(folder, 'quickstart.ipynb'), JSON.stringify({ ...notebook, cells }));
  return folder;
}
