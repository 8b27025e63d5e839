/** `lvlm-lens explain IMAGE QUESTION` */
import { explain, type BaselineName, type ExplainOptions } from '../index.ts';
import { resultText } from './result-text.ts';
import { note, print, terminalProgress } from './terminal.ts';

export interface ExplainFlags {
  readonly output: readonly string[];
  readonly model: string;
  readonly answer?: string;
  readonly method?: string;
  readonly preset?: string;
  readonly baseline?: string;
  readonly threshold?: number;
  readonly seed?: number;
  readonly maxNewTokens?: number;
  readonly perToken: boolean;
  readonly metrics: boolean;
}

/** Prints the answer with its tokens to standard output, and writes the files asked for. */
export async function explainCommand(
  image: string,
  question: string,
  { output, metrics, baseline, ...flags }: ExplainFlags,
  signal: AbortSignal,
): Promise<void> {
  const progress = terminalProgress();
  const options: ExplainOptions = {
    image,
    question,
    ...flags,
    // Whether it is one that exists, explain() checks, with a message that names them all.
    ...(baseline !== undefined && { baseline: baseline as BaselineName }),
    ...(!metrics && { metrics: false }),
    signal,
    onProgress: progress.onProgress,
  };
  const result = await explain(options).finally(progress.done);
  print(resultText(result.explanation));
  for (const file of output) note(`wrote ${await result.save(file)}`);
}
