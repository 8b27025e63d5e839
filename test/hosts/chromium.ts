import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser } from 'playwright-core';

const run = promisify(execFile);

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome.exe', 'msedge.exe'];

const FOLDERS = [
  ...(process.env['PATH'] ?? '').split(path.delimiter),
  '/usr/bin',
  '/Applications/Google Chrome.app/Contents/MacOS/',
  'C:\\Program Files\\Google\\Chrome\\Application',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application',
];

async function executable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A Chromium on this machine: `$CHROMIUM`, one on the path or in the usual places, or Playwright's own. */
export async function findChromium(): Promise<string | undefined> {
  const named = process.env['CHROMIUM'];
  const candidates = [
    ...(named ? [named] : []),
    ...FOLDERS.flatMap((folder) => [...NAMES, 'Google Chrome'].map((name) => path.join(folder, name))),
    chromium.executablePath(),
  ];
  for (const candidate of candidates) if (await executable(candidate)) return candidate;
  return undefined;
}

let chromiumHere: Promise<{ path: string } | { missing: string }> | undefined;

/**
 * Makes sure that there is a Chromium: by the system's package manager where we may use it, else by Playwright's download.
 * @returns its path, or why there is none
 */
export function setUpChromium(): Promise<{ path: string } | { missing: string }> {
  chromiumHere ??= install();
  return chromiumHere;
}

async function install(): Promise<{ path: string } | { missing: string }> {
  const found = await findChromium();
  if (found) return { path: found };
  const tried: string[] = [];
  for (const [command, args] of INSTALLERS) {
    try {
      await run(command, args, { timeout: 300_000 });
    } catch (error) {
      tried.push(`"${command} ${args.join(' ')}" failed (${String(error).split('\n')[0]})`);
      continue;
    }
    const installed = await findChromium();
    if (installed) return { path: installed };
  }
  return { missing: `no Chromium was found, and ${tried.join('; ')}. Install one or set CHROMIUM to its path` };
}

const INSTALLERS: readonly (readonly [string, readonly string[]])[] = [
  ...(process.platform === 'linux' && process.getuid?.() === 0
    ? ([
        ['apt-get', ['update', '-q']],
        ['apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium']],
      ] as const)
    : []),
  [process.execPath, [path.resolve('node_modules/playwright-core/cli.js'), 'install', '--with-deps', 'chromium']],
];

/** Headless, with nothing that reaches for the network on its own. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    handleSIGTERM: false,
    handleSIGINT: false,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
