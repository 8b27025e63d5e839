import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { agreement, explainDataset, shutdown } from '../kernel/index.ts';
import type { DatasetResult, ExplainDatasetOptions, ExplanationResult } from '../kernel/index.ts';
import { energyInside } from '../kernel/metrics/energy-inside.ts';
import { embeddedModels } from '../kernel/model/embedded.ts';
import { picturePath, readEvidence, regionOf, spread } from './evidence.ts';
import { progress } from './progress.ts';

/** Where results gather; a run that was stopped goes on from here. */
const FOLDER = fileURLToPath(new URL('../out/family/', import.meta.url));
/** What notebooks/what-do-lvlms-look-at.ipynb draws. */
const MADE = fileURLToPath(new URL('../notebooks/data/what-do-lvlms-look-at.json', import.meta.url));

/** The model whose own maps, made with two seeds, tell how far apart maps lie that differ in nothing that matters. */
const FLOOR = 'pocket';

/** One model's answer to one question. */
interface AnswerRow {
  readonly scene: string;
  readonly kind: string;
  readonly model: string;
  readonly answer: string;
  readonly correct: boolean;
  /** Of an answer that depends on the image: the smallest share of it that holds half of the heat. */
  readonly focus?: number;
  /** The share of the heat that lies on what the right answer rests on. */
  readonly evidence?: number;
}

/** How far the maps of two models lie apart, where both gave one answer: earth mover's distance in diagonals of the picture. */
interface PairRow {
  readonly scene: string;
  readonly a: string;
  readonly b: string;
  readonly apart: number;
}

/**
 * Where do the embedded models look? Puts the scenes of test/evidence whose answer rests on objects to every embedded model, explains each
 * model's own answer with the default method, and writes what notebooks/what-do-lvlms-look-at.ipynb draws.
 *
 * - `--limit` takes so many scenes, evenly spread
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { limit: { type: 'string', default: 'Infinity' } } });
  const evidence = await readEvidence();
  const usable = evidence.scenes.filter(({ evidence: where }) => where !== 'background' && where.length > 0);
  const scenes = spread(usable, Number(values.limit));
  const models = [...embeddedModels()].sort((a, b) => Number(b === FLOOR) - Number(a === FLOOR));
  const samples = scenes.map((scene) => ({
    id: scene.file,
    image: picturePath(scene),
    question: scene.question,
    references: scene.answer,
    category: scene.kind,
  }));
  await mkdir(FOLDER, { recursive: true });
  const explained = (seed: number, model: ExplainDatasetOptions['model']) =>
    explainDataset(samples, {
      file: path.join(FOLDER, `seed-${seed}.duckdb`),
      ...{ model, seed, metrics: false, encoders: false },
      onProgress: ({ step, steps }) => progress(`${step} of ${steps} answers explained, seed ${seed}`),
    });
  try {
    const first = await explained(0, models);
    const again = await explained(1, FLOOR);
    const problem = [...first.failures, ...again.failures][0];
    if (problem !== undefined) throw new Error(`${problem.sample}, ${problem.model}: ${problem.problem}`);

    const answers: AnswerRow[] = [];
    const pairs: PairRow[] = [];
    for (const [i, scene] of scenes.entries()) {
      progress(`scene ${i + 1} of ${scenes.length}: distances`);
      const results = new Map<string, ExplanationResult>();
      for (const model of models) results.set(model, await first.explanation(scene.file, { model }));
      const truth = regionOf(scene, evidence, scene.evidence);
      for (const [model, { answer, correct, focus, map }] of results) {
        const heat = map && { focus: rounded(focus!), evidence: rounded(energyInside(map, truth)) };
        answers.push({ scene: scene.file, kind: scene.kind, model, answer, correct: correct!, ...heat });
      }
      const all = [...results, [`${FLOOR}, another seed`, await again.explanation(scene.file)] as const];
      for (const [at, [b, two]] of all.entries()) {
        for (const [a, one] of all.slice(0, at)) {
          // The same model with another seed is compared with itself alone.
          if ((at === models.length && a !== FLOOR) || one.answer !== two.answer) continue;
          const apart = agreement(one, two)?.earthMovers;
          if (apart !== undefined) pairs.push({ scene: scene.file, a, b, apart: rounded(apart) });
        }
      }
    }
    await mkdir(path.dirname(MADE), { recursive: true });
    await writeFile(MADE, compact({ made: await provenance(first, models), models, answers, pairs }));
    console.log(`${answers.length} answers and ${pairs.length} pairs written to ${path.relative('.', MADE)}`);
  } finally {
    progress('');
    await shutdown();
  }
}

/** What the maps were made with: of each model one answer's provenance without what is that answer's own. */
async function provenance(result: DatasetResult, models: readonly string[]): Promise<object> {
  const made: Record<string, object> = {};
  for (const model of models) {
    const { sample } = result.rows.find((row) => row.model === model)!;
    const { versions, files, method, parameters } = (await result.explanation(sample, { model })).provenance;
    // Which stand-in a question has depends on its answer.
    const { baseline: _baseline, ...settings } = parameters;
    made[model] = { versions, files, method, parameters: settings };
  }
  return made;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** JSON with one row of a list on a line, so that a change is seen where it is. */
function compact(lists: Readonly<Record<string, object>>): string {
  const members = Object.entries(lists).map(([name, value]) => {
    const rows = Array.isArray(value) ? (value as object[]).map((row) => JSON.stringify(row)) : undefined;
    return `${JSON.stringify(name)}: ${rows ? `[\n${rows.join(',\n')}\n]` : JSON.stringify(value)}`;
  });
  return `{${members.join(',\n')}}\n`;
}
