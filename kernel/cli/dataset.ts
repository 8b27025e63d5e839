/** `lvlm-lens dataset QUESTIONS` */
import { explainDataset, readDataset } from '../index.ts';
import { note, print, terminalProgress } from './terminal.ts';

export interface DatasetFlags {
  readonly results: string;
  readonly output: readonly string[];
  readonly model: readonly string[];
  readonly method: readonly string[];
  readonly preset?: string;
  readonly format?: string;
  readonly images?: string;
  readonly choices?: boolean;
  readonly limit?: number;
  readonly seed?: number;
  readonly maxNewTokens?: number;
  readonly perToken?: boolean;
  readonly metrics: boolean;
  readonly retryFailed?: boolean;
}

/** Prints what the results say together to standard output, and writes the files asked for. */
export async function datasetCommand(
  questions: string,
  { results, output, model, method, format, images, choices, limit, metrics, ...flags }: DatasetFlags,
  signal: AbortSignal,
): Promise<void> {
  const samples = await readDataset(questions, { format, images, withChoices: choices, limit });
  const progress = terminalProgress();
  const result = await explainDataset(samples, {
    ...flags,
    file: results,
    ...(model.length > 0 && { model }),
    ...(method.length > 0 && { method }),
    ...(!metrics && { metrics: false }),
    signal,
    onProgress: progress.onProgress,
  }).finally(progress.done);
  print(result.text());
  for (const file of output) note(`wrote ${await result.save(file)}`);
}
