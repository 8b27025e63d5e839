/** The extension's settings, and how they reach the kernel: as variables of its environment. */
import * as vscode from 'vscode';

export const SECTION = 'lvlmLens';

export interface Settings {
  /** Path of a Node executable; '' leaves the choice to us. */
  readonly node: string;
  readonly executionProvider: string;
  /** 0: as many as there are cores. */
  readonly threads: number;
  /** Where downloaded models are kept; '' for the usual folder. */
  readonly modelFolder: string;
  /** Model of calls that name none; '' for the embedded one. */
  readonly model: string;
  readonly defaultMethod: string;
}

/** The settings as they are now. In a folder that is not trusted, VS Code itself ignores what the folder says. */
export function readSettings(): Settings {
  const values = vscode.workspace.getConfiguration(SECTION);
  const text = (name: string): string => values.get<string>(name, '').trim();
  return {
    node: text('node'),
    executionProvider: text('executionProvider'),
    threads: values.get<number>('threads', 0),
    modelFolder: text('modelFolder'),
    model: text('model'),
    defaultMethod: text('defaultMethod'),
  };
}

/** What the kernel and its engine read of the settings. Settings that say nothing leave the user's environment as it is. */
export function kernelEnvironment(settings: Settings): Record<string, string> {
  const { executionProvider, threads, modelFolder, model, defaultMethod } = settings;
  return {
    ...(executionProvider !== '' && executionProvider !== 'cpu' && { LVLM_LENS_PROVIDER: executionProvider }),
    ...(threads > 0 && { LVLM_LENS_THREADS: String(threads) }),
    ...(modelFolder !== '' && { HF_HUB_CACHE: modelFolder }),
    ...(model !== '' && { LVLM_LENS_MODEL: model }),
    ...(defaultMethod !== '' && { LVLM_LENS_METHOD: defaultMethod }),
  };
}
