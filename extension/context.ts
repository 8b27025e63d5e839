/** What every command can reach. */
import type * as vscode from 'vscode';
import type { LensController } from './controller.ts';
import type { Log } from './log.ts';

export interface Extension {
  readonly context: vscode.ExtensionContext;
  readonly log: Log;
  /** Absent while the workspace is not trusted: nothing is executed there. */
  controller(): LensController | undefined;
}

/** A command: `target` is what a menu was opened on. */
export type Command = (extension: Extension, target?: unknown) => Promise<void>;
