/** The VS Code extension: what it adds when it is activated. */
import * as vscode from 'vscode';
import { AbortError, LensError } from '../kernel/errors.ts';
import { renewJupyterKernel } from './commands/install-jupyter-kernel.ts';
import { COMMANDS } from './commands/index.ts';
import type { Extension } from './context.ts';
import { LensController } from './controller.ts';
import { registerLanguageFeatures } from './language/providers.ts';
import { createLog, reportError } from './log.ts';
import { binaries } from './packed-binaries.ts';

let controller: LensController | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const extension: Extension = { context, log, controller: () => controller };
  context.subscriptions.push(log);
  // Whoever needs them waits for them, and hears why they cannot be had.
  binaries().catch((error: unknown) => log.error(String(error)));
  for (const [name, [what, command, trust]] of Object.entries(COMMANDS)) {
    const run = async (target?: unknown): Promise<void> => {
      try {
        if (trust && !vscode.workspace.isTrusted) {
          throw new LensError(
            'This folder is not trusted',
            'Trust it where its files come from somebody whom you trust.',
          );
        }
        await command(extension, target);
      } catch (error) {
        if (error instanceof AbortError) log.info(error.message);
        else void reportError(log, what, error);
      }
    };
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
  // Where the workspace is not trusted, explanations are shown and nothing is executed: there is no kernel to choose.
  const trusted = (): void => {
    controller = new LensController(log);
    context.subscriptions.push(controller, registerLanguageFeatures(controller, log));
    void renewJupyterKernel(extension);
  };
  if (vscode.workspace.isTrusted) trusted();
  else context.subscriptions.push(vscode.workspace.onDidGrantWorkspaceTrust(trusted));
}

/** Ends the kernels; VS Code waits for it. */
export async function deactivate(): Promise<void> {
  await controller?.stop();
}
