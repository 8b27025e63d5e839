/** `lvlm-lens models list|pull|info|check|rm` */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { AbortError, LensError } from '../errors.ts';
import {
  cachedModels,
  dtypesOf,
  fileSize,
  hubSettings,
  isRounded,
  modelOverview,
  parseDtype,
  plannedRemoval,
  pullModel,
  removeModel,
} from '../hub/index.ts';
import { embeddedFolder, embeddedModels } from '../model/embedded.ts';
import { checkModels } from './models-check.ts';
import { note, print, terminalProgress } from './terminal.ts';

/** Adds the command `models` with its own commands. @param signal aborts at Ctrl+C */
export function addModelsCommand(program: Command, signal: AbortSignal): void {
  const models = program
    .command('models')
    .description('the models on this machine, and those to bring here from the Hub');

  models
    .command('list')
    .description('embedded models and those in the cache, with data types, size and revision')
    .action(listModels);

  models
    .command('pull')
    .description('download a model from the Hub, or bring it up to date')
    .argument('<id>', 'organisation/name')
    .option(
      '--dtype <dtype>',
      'data type of the graphs: fp32, fp16, q4, q4f16, bnb4, or one for each: vision_encoder=fp16,decoder_model_merged=q4',
    )
    .option('--revision <revision>', 'a branch, a tag or a commit')
    .action((id: string, flags: { dtype?: string; revision?: string }) => pull(id, flags, signal));

  models
    .command('info')
    .description('what a model is, which files it has, and which of them are here')
    .argument('<id>', "organisation/name, or an embedded model's name")
    .option('--revision <revision>', 'a branch, a tag or a commit')
    .action((id: string, { revision }: { revision?: string }) => info(id, revision, signal));

  models
    .command('check')
    .description('what stands between the ONNX files of a folder and a gradient: operators, data types, memory')
    .argument('<folder>', 'a folder with .onnx files, or one file')
    .option('--json', 'one JSON object')
    .option('--dim <name=size>', 'size of an open dimension, for the memory; repeatable', collect)
    .option('--sequence <tokens>', 'length of sequences, for the memory (default: 256)')
    .action(checkModels);

  models
    .command('rm')
    .description('remove a model from the cache')
    .argument('<id>', 'organisation/name')
    .option('--revision <revision>', 'only this branch, tag or commit')
    .option('-y, --yes', 'do not ask')
    .action((id: string, flags: { revision?: string; yes?: boolean }) => remove(id, flags, signal));
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

async function listModels(): Promise<void> {
  const rows: string[][] = [];
  for (const id of embeddedModels()) {
    const { files, graphs } = await modelOverview(id);
    rows.push([id, shortDtypes(graphs.map(({ dtype }) => [dtype])), fileSize(totalOf(files)), 'embedded', '']);
  }
  const cached = await cachedModels();
  for (const { id, revisions, unfinished } of cached) {
    for (const revision of revisions) {
      const { commit, refs, missing, size } = revision;
      const state = missing.length === 0 ? '' : `without ${missing.join(', ')}`;
      const dtypes = shortDtypes([...dtypesOf(revision).values()]);
      rows.push([id, dtypes, fileSize(size), [...refs, commit.slice(0, 8)].join(' = '), state]);
    }
    if (unfinished > 0) rows.push([id, '', fileSize(unfinished), '', 'of an unfinished download']);
  }
  print(table([['model', 'dtype', 'size', 'revision', ''], ...rows], [2]));
  note(
    `cache: ${hubSettings().cache}, ${fileSize(cached.reduce((sum, { size, unfinished }) => sum + size + unfinished, 0))}`,
  );
}

async function pull(
  id: string,
  { dtype, revision }: { dtype?: string; revision?: string },
  signal: AbortSignal,
): Promise<void> {
  if (embeddedFolder(id) !== undefined) {
    note(`${id} comes with lvlm-lens: there is nothing to download`);
    return;
  }
  const progress = terminalProgress();
  const folder = await pullModel(id, {
    revision,
    ...(dtype !== undefined && { dtype: parseDtype(dtype) }),
    signal,
    onProgress: progress.onProgress,
  }).finally(progress.done);
  print(folder);
}

async function info(id: string, revision: string | undefined, signal: AbortSignal): Promise<void> {
  const { from, commit, facts, files, graphs, folder } = await modelOverview(id, { revision, signal });
  const origin = {
    hub: `${hubSettings().endpoint}/${id}`,
    cache: 'the cache (the Hub was not reached)',
    embedded: 'embedded',
  }[from];
  const lines: (readonly [string, string])[] = [
    ['model', id],
    ['from', origin],
    ...(commit === undefined ? [] : [['revision', commit] as const]),
    ...facts,
    ['on this machine', folder ?? 'not, or not all of it'],
  ];
  const width = Math.max(...lines.map(([what]) => what.length)) + 2;
  const isGraph = new Set(files.filter(({ path }) => path.startsWith('onnx/')));
  print(
    [
      ...lines.map(([what, value]) => what.padEnd(width) + value),
      '',
      table(
        [
          ['graph', 'dtype', 'size', ''],
          ...graphs.map(({ graph, dtype, size, isHere, isDefault }) => [
            graph,
            dtype,
            fileSize(size),
            [
              ...(isHere ? ['here'] : []),
              ...(isDefault ? ['default'] : []),
              ...(isRounded(dtype) ? ['answers only: no gradient passes'] : []),
            ].join(', '),
          ]),
        ],
        [2],
      ),
      '',
      table(
        [
          ['file', 'size', ''],
          ...files
            .filter((file) => !isGraph.has(file))
            .map(({ path, size, isHere }) => [path, fileSize(size), isHere ? 'here' : '']),
        ],
        [1],
      ),
    ].join('\n'),
  );
}

async function remove(
  id: string,
  { revision, yes = false }: { revision?: string; yes?: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (embeddedFolder(id) !== undefined) {
    throw new LensError(`${id} comes with lvlm-lens and cannot be removed`, 'Only models in the cache can');
  }
  const planned = await plannedRemoval(id, { revision });
  const what = revision === undefined ? id : `revision ${revision} of ${id}`;
  if (!yes && !(await agreed(`Remove ${what} (${fileSize(planned.frees)}) from ${planned.model.folder}?`, signal))) {
    note('nothing was removed');
    return;
  }
  const { frees } = await removeModel(id, { revision });
  note(`removed ${what}: ${fileSize(frees)} are free`);
}

/** Asks on the terminal; who cannot be asked has not agreed. */
async function agreed(question: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new LensError(`${question} There is no terminal to ask on`, 'Say --yes to remove without being asked');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // In a terminal, readline takes Ctrl+C for itself.
  const stop = new AbortController();
  terminal.once('SIGINT', () => stop.abort());
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: AbortSignal.any([signal, stop.signal]) });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    throw new AbortError();
  } finally {
    terminal.close();
  }
}

/** Data types of all graphs in short: 'fp32', or 'fp32, q4'. */
function shortDtypes(graphs: readonly (readonly string[])[]): string {
  return [...new Set(graphs.flat())].join(', ');
}

function totalOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Columns as wide as their longest text. @param right indexes of columns that stand right */
function table(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((text, column) => (right.includes(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
