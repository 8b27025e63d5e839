import { against } from './baseline-choice.ts';
import type { BaselineChoice } from './baseline-choice.ts';
import { complement, filledMask, mapMask } from './mask.ts';
import { AT_ONCE } from './probe.ts';
import { throwIfAborted } from './progress.ts';
import type { AttributionContext, Mask, ScoreRequest, Scorer } from './scorer.ts';
import { meanLogLikelihood, meanProbability } from './token-means.ts';

export interface SpotChecksOptions {
  /** How many spots are checked, at most. */
  readonly spots: number;
  /** What takes the place of what is hidden, each in turn. */
  readonly baselines: readonly BaselineChoice[];
}

/** A disc on the map, in cells. */
interface Spot {
  readonly row: number;
  readonly col: number;
  readonly radius: number;
}

/** A spot's radius as a share of the map's shorter side. */
const RADIUS = 1 / 8;

/** What a spot counts in cells far from all of them: next to nothing, so that there the nearest decides. */
const FAR = 1e-9;

/**
 * By how much a spot has to move the explained tokens' mean log p at a look, on average, for the heat to count as confirmed, in nats:
 * it makes them about a tenth more likely.
 */
const CONFIRMED = 0.1;

/** In how many rounds so many spots are checked, at most. */
export const checkRounds = ({ spots, baselines }: SpotChecksOptions): number =>
  spots === 0 ? 0 : Math.ceil((1 + baselines.length * (1 + 2 * spots)) / AT_ONCE);

/**
 * Asks the model about the hottest spots of a map one by one, and weighs the map by its answers. A spot is a disc around the hottest cell that no
 * earlier spot covers, and with p the explained tokens' mean probability its effect is
 *
 *     e = Σ_b [p(image) − p(image without the spot)] + [p(the spot alone) − p(nothing)]
 *
 * over the baselines b: what its absence takes away and what its presence brings back. The map is multiplied by √(e⁺/max e⁺), which between
 * spots is the mean weighted with a Gaussian of half a radius around each. The root makes of each cell the geometric mean of two estimates of one
 * thing: its heat, and what its spot was seen to do. A gradient tells where an answer would begin to change, a look whether it does.
 *
 * Where no spot makes the tokens a tenth more likely (the same effects of mean log p, by their 2·baselines looks), nothing is confirmed:
 * the checks cannot tell spots apart, and smooth hills would look like a finding. A model that has learnt nothing mostly has such maps, and what
 * they have in common with a trained one's is the smoothing. The caller then shows the heat as it was found.
 *
 * Costs `1 + baselines·(1 + 2·spots)` forward evaluations and no gradient.
 * Source: LVLM Lens; the effect's two halves are a step of deletion and one of insertion (Petsiuk, Das, Saenko, BMVC 2018, arXiv 1806.07421).
 * @param heat not negative
 * @param onRound called after each round with log p of the answer's tokens at its evaluations
 * @returns the weighed map; undefined where no spot is confirmed, or there is none
 */
export async function spotChecked(
  scorer: Scorer,
  weights: Float32Array,
  heat: Mask,
  { spots, baselines }: SpotChecksOptions,
  { signal }: AttributionContext,
  onRound: (logp: readonly Float32Array[]) => void = () => undefined,
): Promise<Mask | undefined> {
  const found = hottest(heat, spots);
  if (spots === 0) return heat;
  if (found.length === 0) return undefined;
  const nothing = filledMask(heat.rows, heat.cols, 0);
  const discs = found.map((spot) => mapMask(nothing, (_, cell) => covered(spot, cell, heat.cols)));
  const masks = [nothing, ...discs.flatMap((disc) => [complement(disc), disc])];
  const requests: ScoreRequest[] = [
    { mask: complement(nothing) },
    ...baselines.flatMap((baseline) => masks.map((mask) => ({ mask, ...against(baseline) }))),
  ];

  const looks: Float32Array[] = [];
  for (let k = 0; k < requests.length; k += AT_ONCE) {
    throwIfAborted(signal);
    const logp = await scorer.logp(requests.slice(k, k + AT_ONCE));
    looks.push(...logp);
    onRound(logp);
  }

  const effectsOn = (score: (logp: Float32Array, weights: Float32Array) => number): number[] => {
    const [image, ...rest] = looks.map((logp) => score(logp, weights)) as [number, ...number[]];
    return found.map((_, k) =>
      baselines.reduce((sum, _baseline, b) => {
        const at = b * masks.length;
        const [empty, without, alone] = [rest[at]!, rest[at + 1 + 2 * k]!, rest[at + 2 + 2 * k]!];
        return sum + (image - without) + (alone - empty);
      }, 0),
    );
  };
  const effects = effectsOn(meanProbability);
  const most = Math.max(...effects);
  const confirmed = Math.max(...effectsOn(meanLogLikelihood)) >= CONFIRMED * 2 * baselines.length;
  if (!(most > 0) || !confirmed) return undefined;
  const weightOf = effects.map((effect) => Math.sqrt(Math.max(0, effect) / most));
  return mapMask(heat, (value, cell) => {
    let [sum, total] = [0, 0];
    found.forEach((spot, k) => {
      const near = Math.exp(-2 * (distance(spot, cell, heat.cols) / spot.radius) ** 2) + FAR;
      sum += near * weightOf[k]!;
      total += near;
    });
    return (value * sum) / total;
  });
}

/** Spots around the hottest cells, hottest first; no centre lies within another spot, and where there is no heat there is no spot. */
function hottest({ rows, cols, data }: Mask, most: number): Spot[] {
  const radius = Math.min(rows, cols) * RADIUS;
  const spots: Spot[] = [];
  const order = Array.from(data.keys()).sort((a, b) => data[b]! - data[a]! || a - b);
  for (const cell of order) {
    if (spots.length === most || !(data[cell]! > 0)) break;
    if (spots.some((spot) => distance(spot, cell, cols) <= spot.radius)) continue;
    spots.push({ row: Math.floor(cell / cols), col: cell % cols, radius });
  }
  return spots;
}

/** Between the centres of a spot and of a cell, in cells. */
const distance = ({ row, col }: Spot, cell: number, cols: number): number =>
  Math.hypot(Math.floor(cell / cols) - row, (cell % cols) - col);

/** 1 within a spot and 0 outside, with an edge one cell wide. */
const covered = (spot: Spot, cell: number, cols: number): number =>
  Math.min(1, Math.max(0, spot.radius + 0.5 - distance(spot, cell, cols)));
