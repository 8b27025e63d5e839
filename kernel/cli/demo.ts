/** `lvlm-lens demo` */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MIME_TYPE, type LensDocument } from '../document.ts';
import { AbortError, LensError } from '../errors.ts';
import { duration } from '../jupyter/progress.ts';
import type { Notebook } from '../jupyter/notebook.ts';
import { packageFolder } from '../model/embedded.ts';
import { exportFile } from './export.ts';
import { runFile } from './run.ts';
import { print } from './terminal.ts';

/** Runs the quickstart notebook, makes the report of it, and prints where both are and what was measured. */
export async function demoCommand({ output }: { output: string }, signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  const source = path.join(packageFolder(), 'notebooks', 'quickstart.ipynb');
  const folder = path.resolve(output);
  await mkdir(folder, { recursive: true });
  const notebook = path.join(folder, 'quickstart.ipynb');
  const { notebook: executed, failed, interrupted } = await runFile(source, notebook, false, signal);
  if (interrupted) throw new AbortError();
  if (failed) throw new LensError(`cell ${failed.cell} failed\n\n${failed.traceback.join('\n')}\n`);
  const report = await exportFile(notebook, path.join(folder, 'quickstart.html'), path.dirname(source));
  print(
    [
      ...documents(executed).flatMap(measured),
      '',
      `notebook  ${notebook}`,
      `report    ${pathToFileURL(report).href}`,
      `time      ${duration(performance.now() - begun)}`,
    ].join('\n'),
  );
}

/** The explanation documents among a notebook's outputs. */
function documents(notebook: Notebook): LensDocument[] {
  return notebook.cells.flatMap((cell) =>
    cell.cell_type === 'code'
      ? cell.outputs.flatMap((output) => {
          const data = 'data' in output ? (output.data as Record<string, unknown>)[MIME_TYPE] : undefined;
          return data === undefined ? [] : [data as LensDocument];
        })
      : [],
  );
}

/** What a document says, in a few lines. */
function measured({ explanations, axis, agreement = [] }: LensDocument): string[] {
  return [
    ...explanations.flatMap(({ question, answer, dependsOnImage, metrics }) => {
      const words = answer.tokens.filter(({ selected }) => selected).map(({ text }) => text.trim());
      const scores = metrics.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ');
      return [
        '',
        `${question} ${answer.text}`,
        dependsOnImage
          ? `  looked, for: ${words.join(', ')}`
          : '  did not look: the answer does not depend on the image',
        ...(scores === '' ? [] : [`  ${scores}`]),
      ];
    }),
    ...agreement.map(
      ({ a, b, rankCorrelation, iouTop20 }) =>
        `  ${axis ?? 'maps'} ${a + 1} and ${b + 1}: rank correlation ${rankCorrelation.toFixed(2)}, ` +
        `overlap of the top 20 % ${iouTop20.toFixed(2)}`,
    ),
  ];
}
