/** Explains a benchmark in a process of its own: `dataset-process.ts QUESTIONS RESULTS`; prints each sample that is done. */
import { explainDataset, readDataset, shutdown } from '../../kernel/index.ts';

const [questions, file] = process.argv.slice(2) as [string, string];
let told = -1;
await explainDataset(await readDataset(questions), {
  file,
  method: 'input-x-gradient',
  metrics: false,
  onProgress({ step, part }) {
    if (part === undefined && step > told) console.log(`done ${(told = step)}`);
  },
});
await shutdown();
