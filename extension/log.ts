/** The extension's output channel. */
import * as vscode from 'vscode';

export type Log = vscode.LogOutputChannel;

export function createLog(): Log {
  return vscode.window.createOutputChannel('LVLM Lens', { log: true });
}

/** Tells the user what went wrong, in one sentence, with the way to the log. */
export async function reportError(log: Log, what: string, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  log.error(`${what}: ${error instanceof Error ? (error.stack ?? message) : message}`);
  const show = 'Show Log';
  if ((await vscode.window.showErrorMessage(`${what}: ${message}`, show)) === show) log.show();
}
