/** Install Jupyter Kernel: makes this extension's kernel known to Jupyter on this machine. */
import * as vscode from 'vscode';
import { LensError } from '../../kernel/errors.ts';
import { lensCommand, withNotice } from '../command-line.ts';
import type { Command, Extension } from '../context.ts';
import { findNode } from '../node-executable.ts';
import { readSettings } from '../settings.ts';

/** Version of the extension whose kernel Jupyter knows. */
const INSTALLED = 'jupyterKernelOfVersion';

const INSTALL = ['jupyter', 'install', '--user'] as const;

function versionOf({ extension }: vscode.ExtensionContext): string {
  return (extension.packageJSON as { version: string }).version;
}

export const installJupyterKernel: Command = async ({ context, log }) => {
  const node = await findNode(readSettings().node);
  // Jupyter would start VS Code's own executable as if it were an editor.
  if (process.versions['electron'] !== undefined && node.path === process.execPath) {
    throw new LensError(
      'Jupyter needs a Node of its own, and none of version 20.12 or newer was found',
      'Install Node from https://nodejs.org, or set "lvlmLens.node".',
    );
  }
  const said = await withNotice('Installing the Jupyter kernel', () => lensCommand(context, log, INSTALL));
  await context.globalState.update(INSTALLED, versionOf(context));
  await vscode.window.showInformationMessage(
    said.split('\n').at(-1) || 'Jupyter knows the kernel LVLM Lens (TypeScript).',
  );
};

/** Each version of an extension has a folder of its own: after an update, Jupyter is told the new one. */
export async function renewJupyterKernel({ context, log }: Extension): Promise<void> {
  const installed = context.globalState.get<string>(INSTALLED);
  if (installed === undefined || installed === versionOf(context)) return;
  try {
    await lensCommand(context, log, INSTALL);
    await context.globalState.update(INSTALLED, versionOf(context));
  } catch (error) {
    log.warn(`the Jupyter kernel is still that of version ${installed}: ${String(error)}`);
  }
}
