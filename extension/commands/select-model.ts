/** Select Model: which model calls use that name none; what is missing is downloaded, with progress. */
import * as vscode from 'vscode';
import type { ModelList } from '../../kernel/jupyter/ipc-protocol.ts';
import type { Command, Extension } from '../context.ts';
import { readSettings, SECTION } from '../settings.ts';
import { withKernel } from '../kernel-for-commands.ts';

/** Small enough for a laptop, in the layout that we read. */
const SUGGESTED: readonly { readonly id: string; readonly detail: string }[] = [
  { id: 'HuggingFaceTB/SmolVLM-256M-Instruct', detail: 'Small and quick; answers in sentences' },
  { id: 'HuggingFaceTB/SmolVLM-500M-Instruct', detail: 'Larger, and more often right' },
  { id: 'llava-hf/llava-interleave-qwen-0.5b-hf', detail: 'LLaVA with Qwen' },
];

/** What sets our own models apart. */
const EMBEDDED: Readonly<Record<string, string>> = {
  pocket: 'Knows simple scenes; needs a second for an explanation',
  'pocket-large': 'The same encoder with a decoder four times as large',
  'pocket-duo': 'Looks with two encoders, of different kind and resolution',
  'pocket-tiles': 'Looks at the whole picture and at tiles of it: small things too',
};

interface ModelItem extends vscode.QuickPickItem {
  readonly model?: string;
  /** Its files are here. */
  readonly isHere?: boolean;
}

const OTHER: ModelItem = { label: '$(search) Another model…', detail: 'An id of the Hugging Face Hub, or a folder' };

export const selectModel: Command = async (extension) => {
  const model = await chooseModel(extension, 'Model of calls that name none');
  if (model === undefined) return;
  const target = vscode.workspace.workspaceFolders
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration(SECTION).update('model', model === 'pocket' ? undefined : model, target);
  await vscode.window.showInformationMessage(`Calls that name no model use ${model} from now on.`);
};

/**
 * Asks for a model, and downloads it where it is not here.
 * @returns its name as `explain` takes it; undefined where the user gives up
 */
export async function chooseModel(extension: Extension, title: string): Promise<string | undefined> {
  const list = await withKernel(extension, 'Looking for models…', ({ process }) => process.request('models', {}));
  const item = await vscode.window.showQuickPick(itemsOf(list), {
    title,
    placeHolder: 'Models on this machine come first',
    matchOnDetail: true,
    ignoreFocusOut: true,
  });
  if (!item) return undefined;
  const model = item.model ?? (await askForModel());
  if (model === undefined || item.isHere) return model;
  await download(extension, model);
  return model;
}

function itemsOf({ embedded, cached }: ModelList): ModelItem[] {
  const current = readSettings().model || 'pocket';
  const item = (model: string, description: string, detail: string, isHere: boolean): ModelItem => ({
    label: `${model === current ? '$(check) ' : ''}${model}`,
    description,
    detail,
    model,
    isHere,
  });
  const here = new Set([...embedded, ...cached.map(({ id }) => id)]);
  return [
    { label: 'On this machine', kind: vscode.QuickPickItemKind.Separator },
    ...embedded.map((name) => item(name, 'comes with LVLM Lens', EMBEDDED[name] ?? 'Knows simple scenes', true)),
    ...cached.map(({ id, bytes, complete }) =>
      item(id, complete ? megabytes(bytes) : `${megabytes(bytes)}, not complete`, 'Downloaded', complete),
    ),
    { label: 'Hugging Face Hub', kind: vscode.QuickPickItemKind.Separator },
    ...SUGGESTED.filter(({ id }) => !here.has(id)).map(({ id, detail }) => item(id, 'download', detail, false)),
    OTHER,
  ];
}

function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

async function askForModel(): Promise<string | undefined> {
  const answer = await vscode.window.showInputBox({
    title: 'Which model?',
    prompt: 'An id of the Hugging Face Hub with ONNX files, or the path of a folder',
    placeHolder: 'organisation/model',
    validateInput: (text) => (text.trim() === '' ? 'An id or a folder is needed.' : undefined),
    ignoreFocusOut: true,
  });
  return answer?.trim();
}

/** @throws what the kernel says of the download; AbortError where the user stops it */
async function download(extension: Extension, model: string): Promise<void> {
  await withKernel(extension, `Downloading ${model}`, async ({ process }, report, token) => {
    // The kernel of a command has nothing else to do: without it, the download is at an end.
    token.onCancellationRequested(() => {
      process.kill();
    });
    let before = 0;
    await process.request('pullModel', { model }, ({ stage, step, steps }) => {
      const share = steps > 0 ? (100 * step) / steps : 0;
      report({ message: `${stage} ${Math.floor(share)} %`, increment: Math.max(0, share - before) });
      before = Math.max(before, share);
    });
  });
}
