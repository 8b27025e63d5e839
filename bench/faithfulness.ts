import { parseArgs } from 'node:util';
import { fill } from './faithfulness/fill.ts';
import { writePage } from './faithfulness/page.ts';
import { pointing } from './faithfulness/pointing.ts';
import { forget } from './faithfulness/records.ts';

/**
 * How faithful are the maps?
 *
 * - without options, or with --json: does the heat fall on what the answer rests on? The defaults and the paper's settings (or --methods) on the
 *   evidence scenes (at most --limit)
 * - --fill: measures every method by every metric on every embedded model, as far as the time goes (--minutes), and goes on from there the next
 *   time; --share 1/2 and --share 2/2 are two processes that divide the work; --models and --methods choose; --redo measures a method anew
 * - --page: makes docs/faithfulness.md, its figures and its data from what has been measured
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      limit: { type: 'string' },
      seed: { type: 'string', default: '0' },
      model: { type: 'string' },
      methods: { type: 'string' },
      fill: { type: 'boolean', default: false },
      minutes: { type: 'string', default: 'Infinity' },
      share: { type: 'string', default: '1/1' },
      models: { type: 'string' },
      redo: { type: 'string' },
      page: { type: 'boolean', default: false },
    },
  });
  const list = (text: string | undefined) => text?.split(',');
  if (values.redo !== undefined) await forget(list(values.redo)!);
  if (values.fill) {
    const [mine, processes] = values.share.split('/').map(Number);
    const added = await fill({
      minutes: Number(values.minutes),
      share: [mine!, processes!],
      models: list(values.models),
      settings: list(values.methods),
    });
    console.log(`${added} results recorded in out/faithfulness`);
  }
  if (values.page) await writePage();
  if (values.fill || values.page) return;
  await pointing({
    json: values.json,
    seed: Number(values.seed),
    limit: values.limit === undefined ? Infinity : Number(values.limit),
    model: values.model,
    methods: list(values.methods) ?? ['default', 'paper'],
  });
}
