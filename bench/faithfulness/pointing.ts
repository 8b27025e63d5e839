import { DEFAULT_METHOD } from '../../kernel/attribution/methods.ts';
import type { MethodChoice } from '../../kernel/attribution/methods.ts';
import { explain, loadModel, shutdown } from '../../kernel/index.ts';
import type { ExplanationResult } from '../../kernel/index.ts';
import { estimate } from '../../kernel/metrics/bootstrap.ts';
import type { Estimate } from '../../kernel/metrics/bootstrap.ts';
import { pointingGame } from '../../kernel/metrics/pointing-game.ts';
import { picturePath, readEvidence, regionOf, spread } from '../evidence.ts';
import type { Evidence, EvidenceScene } from '../evidence.ts';
import { progress } from '../progress.ts';
import { SETTINGS } from './methods.ts';
import { isNameOf } from './scenes.ts';

/** What is measured: our defaults, the paper's settings beside them, and by their names in the table all others. */
const METHODS: ReadonlyMap<string, MethodChoice> = new Map<string, MethodChoice>([
  ['default', { name: DEFAULT_METHOD }],
  ['paper', { name: 'igos+', preset: 'paper' }],
  ...SETTINGS.map(({ name, method, preset }): [string, MethodChoice] => [name, { name: method, preset }]),
]);

/** What the defaults must reach. */
const BARS = { jointInEvidence: 0.9, tokenInObject: 0.85, noTokenSelected: 0.95 } as const;

/** What one explanation of a scene's question gave. */
interface Case {
  readonly scene: EvidenceScene;
  readonly result: ExplanationResult;
  readonly correct: boolean;
  readonly milliseconds: number;
}

interface Summary {
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Share of correct answers to questions that need the image in which a token was selected, so that there is a map. */
  readonly withMap: Estimate | null;
  /**
   * Share of correct answers to questions that need the image whose joint map has its maximum inside the evidence. An answer without a map
   * is a miss. Left out are only answers that rest on no place, such as "No, there is no dog.".
   */
  readonly jointInEvidence: Estimate | null;
  /** The same over those answers that have a map. */
  readonly jointInEvidenceOfMaps: Estimate | null;
  readonly jointInEvidenceByKind: Readonly<Record<string, Estimate | null>>;
  /** Share of token maps that have their maximum inside an object that the token's word speaks of. */
  readonly tokenInObject: Estimate | null;
  /** The same for the words that are an object's name or a sign's text. */
  readonly nameInObject: Estimate | null;
  readonly deletion: Estimate | null;
  readonly insertion: Estimate | null;
  readonly gradientsPerExplanation: Estimate | null;
  readonly millisecondsPerExplanation: Estimate | null;
}

/**
 * Does the heat fall on what the answer rests on? Over the evidence scenes: explains each question with our defaults and with
 * the paper's settings, and looks where the maps' maxima lie. Means with 95 % bootstrap intervals.
 */
export async function pointing(values: {
  readonly json: boolean;
  readonly seed: number;
  readonly limit: number;
  readonly model: string | undefined;
  readonly methods: readonly string[];
}): Promise<void> {
  const { seed } = values;
  const evidence = await readEvidence();
  const scenes = spread(evidence.scenes, values.limit);
  const model = await loadModel(values.model ?? evidence.model);
  const measured: Record<string, Case[]> = {};
  for (const name of values.methods) {
    const method = METHODS.get(name);
    if (!method) throw new Error(`there are no settings "${name}". There are: ${[...METHODS.keys()].join(', ')}`);
    measured[name] = await casesOf(scenes, { model: model.id, method, seed }, name);
  }
  await shutdown();

  const [first] = Object.values(measured);
  const blind = first!.filter(({ scene }) => !scene.needsImage);
  const seeing = first!.filter(({ scene }) => scene.needsImage);
  const noTokenSelected = estimate(
    blind.map(({ result }) => Number(!result.dependsOnImage)),
    seed,
  );
  const methods = Object.fromEntries(
    Object.entries(measured).map(([name, cases]) => [name, summaryOf(cases, evidence, seed)]),
  );
  const report = {
    bench: 'faithfulness',
    model: model.id,
    seed,
    scenes: first!.length,
    correctNeedingImage: estimate(
      seeing.map(({ correct }) => Number(correct)),
      seed,
    ),
    correctNotNeedingImage: estimate(
      blind.map(({ correct }) => Number(correct)),
      seed,
    ),
    noTokenSelected,
    methods,
    bars: Object.fromEntries(
      Object.entries(BARS).map(([bar, least]) => {
        const value = bar === 'noTokenSelected' ? noTokenSelected : methods.default?.[bar as 'jointInEvidence'];
        return [bar, { least, reached: value?.mean ?? null, met: value ? value.mean >= least : null }];
      }),
    ),
  };
  console.log(values.json ? JSON.stringify(report) : table(report.scenes, report.noTokenSelected, methods));
}

async function casesOf(
  scenes: readonly EvidenceScene[],
  options: { readonly model: string; readonly method: MethodChoice; readonly seed: number },
  name: string,
): Promise<Case[]> {
  const cases: Case[] = [];
  for (const [i, scene] of scenes.entries()) {
    progress(`${name}: scene ${i + 1} of ${scenes.length}`);
    const began = performance.now();
    const result = await explain({ image: picturePath(scene), question: scene.question, ...options });
    const milliseconds = performance.now() - began;
    cases.push({ scene, result, correct: result.answer.trim() === scene.answer, milliseconds });
  }
  progress('');
  return cases;
}

function summaryOf(cases: readonly Case[], evidence: Evidence, seed: number): Summary {
  const right = cases.filter(({ scene, correct }) => scene.needsImage && correct);
  const mapped = right.filter(({ result }) => result.dependsOnImage);
  const placed = right.filter(({ scene }) => scene.evidence.length > 0);
  const hit = ({ scene, result: { map } }: Case): number =>
    map ? pointingGame(map, regionOf(scene, evidence, scene.evidence)) : 0;
  const scores = (name: string) =>
    mapped.flatMap(({ result }) => (name in result.metrics ? [result.metrics[name]!] : []));
  const words = mapped.flatMap((each) => tokenHits(each, evidence));
  const [{ result: example }] = cases as [Case];
  return {
    method: example.provenance.method,
    parameters: example.provenance.parameters,
    withMap: estimate(
      right.map(({ result }) => Number(result.dependsOnImage)),
      seed,
    ),
    jointInEvidence: estimate(placed.map(hit), seed),
    jointInEvidenceOfMaps: estimate(placed.filter(({ result }) => result.dependsOnImage).map(hit), seed),
    jointInEvidenceByKind: Object.fromEntries(
      [...new Set(placed.map(({ scene }) => scene.kind))].map((kind) => [
        kind,
        estimate(placed.filter(({ scene }) => scene.kind === kind).map(hit), seed),
      ]),
    ),
    tokenInObject: estimate(
      words.map(({ hit: inside }) => inside),
      seed,
    ),
    nameInObject: estimate(
      words.filter(({ isName }) => isName).map(({ hit: inside }) => inside),
      seed,
    ),
    deletion: estimate(scores('deletion'), seed),
    insertion: estimate(scores('insertion'), seed),
    gradientsPerExplanation: estimate(
      mapped.map(({ result }) => result.provenance.evaluations.gradient),
      seed,
    ),
    millisecondsPerExplanation: estimate(
      mapped.map(({ milliseconds }) => milliseconds),
      seed,
    ),
  };
}

/** For each token map whose token belongs to a word that speaks of objects: does it point into one of them? */
function tokenHits({ scene, result }: Case, evidence: Evidence): { hit: number; isName: boolean }[] {
  return result.maps
    .filter(({ role }) => role === 'token')
    .flatMap((map) => {
      const token = result.tokens[map.tokens[0]!]!;
      const word = scene.words.find(({ start, end }) => start < token.end && end > token.start);
      if (!word || word.objects.length === 0) return [];
      const objects = scene.objects.filter(({ id }) => word.objects.includes(id));
      const isName = objects.some((object) => isNameOf(word.text, object));
      return [{ hit: pointingGame(map, regionOf(scene, evidence, word.objects)), isName }];
    });
}

function table(scenes: number, noTokenSelected: Estimate | null, methods: Readonly<Record<string, Summary>>): string {
  const share = (value: Estimate | null) =>
    value === null
      ? 'none'
      : `${(100 * value.mean).toFixed(1)} %${value.interval ? ` (${value.interval.map((v) => (100 * v).toFixed(1)).join(' … ')})` : ''} of ${value.count}`;
  const score = (value: Estimate | null) =>
    value === null
      ? 'none'
      : `${value.mean.toFixed(3)}${value.interval ? ` (${value.interval.map((v) => v.toFixed(3)).join(' … ')})` : ''}`;
  const lines = Object.entries(methods).flatMap(([name, summary]) => [
    `${summary.method}, ${name}`,
    `  answers that need the image and have a map   ${share(summary.withMap)}`,
    `  joint map's maximum inside the evidence      ${share(summary.jointInEvidence)}`,
    `    of answers with a map                      ${share(summary.jointInEvidenceOfMaps)}`,
    `  token map's maximum inside the word's object ${share(summary.tokenInObject)}`,
    `    of words that name it                      ${share(summary.nameInObject)}`,
    `  deletion, lower is better                    ${score(summary.deletion)}`,
    `  insertion, higher is better                  ${score(summary.insertion)}`,
    `  gradients for one explanation                ${summary.gradientsPerExplanation?.mean.toFixed(0) ?? 'none'}`,
    `  milliseconds for one explanation             ${summary.millisecondsPerExplanation?.mean.toFixed(0) ?? 'none'}`,
  ]);
  return [
    `${scenes} scenes; means with 95 % bootstrap intervals`,
    `no token selected where none is needed: ${share(noTokenSelected)}`,
    ...lines,
  ].join('\n');
}
