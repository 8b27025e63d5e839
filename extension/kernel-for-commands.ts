/** A kernel process for the length of a command that belongs to no notebook. */
import os from 'node:os';
import * as vscode from 'vscode';
import { AbortError } from '../kernel/errors.ts';
import type { Extension } from './context.ts';
import { NotebookKernel, type RunningKernel } from './notebook-kernel.ts';

type Report = (news: { readonly message?: string; readonly increment?: number }) => void;

/**
 * Starts a kernel, has it do `work`, and ends it; meanwhile a notification tells of it and lets the user give up.
 * @throws what the work throws, AbortError where the user gave up
 */
export async function withKernel<T>(
  { log }: Extension,
  title: string,
  work: (kernel: RunningKernel, report: Report, token: vscode.CancellationToken) => Promise<T>,
): Promise<T> {
  const kernel = new NotebookKernel(os.tmpdir(), log);
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      try {
        const running = await kernel.running();
        return await work(running, (news) => progress.report(news), token);
      } catch (error) {
        throw token.isCancellationRequested ? new AbortError(`${title}: stopped`) : error;
      } finally {
        await kernel.stop();
      }
    },
  );
}
