/** Runs the `lvlm-lens` command that is in this package, on the Node that runs kernels. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import { LensError } from '../kernel/errors.ts';
import type { Log } from './log.ts';
import { findNode } from './node-executable.ts';
import { binaries } from './packed-binaries.ts';
import { kernelEnvironment, readSettings } from './settings.ts';

const run = promisify(execFile);

/**
 * @returns what it printed, standard error included
 * @throws LensError with its message where it fails
 */
export async function lensCommand(
  { extensionPath }: vscode.ExtensionContext,
  log: Log,
  args: readonly string[],
): Promise<string> {
  await binaries();
  const settings = readSettings();
  // Where the workspace is not trusted, what it says is not heard, and nothing of it is run: our own file is.
  const node = await findNode(settings.node);
  const command = path.join(extensionPath, 'dist', 'lvlm-lens.js');
  log.info(`lvlm-lens ${args.join(' ')}`);
  try {
    const { stdout, stderr } = await run(node.path, [command, ...args], {
      env: { ...process.env, ...kernelEnvironment(settings), ...node.env, NO_COLOR: '1' },
      windowsHide: true,
      maxBuffer: 1 << 26,
    });
    const said = `${stdout}${stderr}`.trim();
    if (said !== '') log.info(said);
    return said;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new LensError(stderr?.trim() || message);
  }
}

/** Runs `work` with a turning wheel in the status of the window. */
export function withNotice<T>(title: string, work: () => Promise<T>): Thenable<T> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, work);
}
