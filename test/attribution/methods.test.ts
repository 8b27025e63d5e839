import assert from 'node:assert/strict';
import { integratedGradients } from '../../kernel/attribution/integrated-gradients.ts';
import { evenAlphas, goldenAlphas, integratedScores } from '../../kernel/attribution/integrated-score.ts';
import { inLockstep } from '../../kernel/attribution/lockstep.ts';
import { filledMask } from '../../kernel/attribution/mask.ts';
import { METHODS, chosenMethod } from '../../kernel/attribution/methods.ts';
import { noiseSeed, pixelNoise } from '../../kernel/attribution/noise-seed.ts';
import { nesterov, normalised } from '../../kernel/attribution/optimisers.ts';
import type { MethodChoice } from '../../kernel/attribution/methods.ts';
import type {
  AttributionContext,
  FeatureGradient,
  GradientRequest,
  Mask,
  Progress,
  Scorer,
} from '../../kernel/attribution/scorer.ts';
import { NEARLY_LOG_ODDS } from '../../kernel/attribution/scorer.ts';
import { AbortError, LensError } from '../../kernel/errors.ts';
import { ToyScorer, cellsIn } from './toy-scorer.ts';

const LEFT = { left: 0.1, top: 0.2, right: 0.4, bottom: 0.5 };
const RIGHT = { left: 0.6, top: 0.5, right: 0.9, bottom: 0.9 };
const FIRST = Float32Array.of(1, 0, 0);
const SECOND = Float32Array.of(0, 1, 0);
const BOTH = Float32Array.of(1, 1, 0);

const toy = (): ToyScorer => new ToyScorer([LEFT, RIGHT, null]);

function attribute(
  scorer: Scorer,
  weights: Float32Array,
  choice: MethodChoice,
  context: Partial<AttributionContext> = {},
) {
  const { method, options } = chosenMethod(choice);
  return method.attribute(scorer, weights, options, { seed: 0, ...context });
}

/** The share of a map's total that lies in a region. */
function energyIn(map: Mask, region: Parameters<typeof cellsIn>[0]): number {
  const total = map.data.reduce((sum, value) => sum + value, 0);
  return cellsIn(region, map.rows, map.cols).reduce((sum, cell) => sum + map.data[cell]!, 0) / total;
}

const peak = (map: Mask): number => map.data.indexOf(Math.max(...map.data));

/** What a method can do that sees the image in a few large pieces: how far beside its region it may point, and how much heat lies inside. */
const COARSE: Readonly<Record<string, { readonly beside: number; readonly energy: number }>> = {
  'grid-queries': { beside: 0.13, energy: 0.3 },
  'superpixel-search': { beside: 0, energy: 0.25 },
};
const EXACT = { beside: 0, energy: 0.5 };

const widened = ({ left, top, right, bottom }: Parameters<typeof cellsIn>[0], by: number) => ({
  left: left - by,
  top: top - by,
  right: right + by,
  bottom: bottom + by,
});

const everyChoice: MethodChoice[] = [...METHODS.values()].flatMap(({ name, presets }) => [
  { name },
  ...Object.keys(presets ?? {}).map((preset) => ({ name, preset })),
]);

for (const choice of everyChoice) {
  describe(`method ${choice.name}, ${choice.preset ?? 'default'}`, () => {
    it('finds what each token looks at', async () => {
      for (const [weights, region, other] of [
        [FIRST, LEFT, RIGHT],
        [SECOND, RIGHT, LEFT],
      ] as const) {
        const map = await attribute(toy(), weights, choice);
        const { beside, energy } = COARSE[choice.name] ?? EXACT;
        const near = cellsIn(widened(region, beside), map.rows, map.cols);
        assert.ok(near.includes(peak(map)), 'the maximum lies in the region');
        assert.ok(energyIn(map, region) > energy, `${energyIn(map, region)} of the map lies in the region`);
        assert.ok(energyIn(map, other) < 0.05, `${energyIn(map, other)} of the map lies in the other region`);
      }
    });

    it('finds both regions when both tokens are asked for', async () => {
      const map = await attribute(toy(), BOTH, choice);
      assert.ok(energyIn(map, LEFT) > 0.15 && energyIn(map, RIGHT) > 0.15);
    });

    it('gives values that are finite and not negative', async () => {
      const map = await attribute(toy(), BOTH, choice);
      assert.equal(map.data.length, map.rows * map.cols);
      assert.ok(map.data.every((value) => Number.isFinite(value) && value >= 0));
    });

    it('gives the same map for the same seed', async () => {
      const [one, two] = await Promise.all([
        attribute(toy(), BOTH, choice, { seed: 7 }),
        attribute(toy(), BOTH, choice, { seed: 7 }),
      ]);
      assert.deepEqual(one, two);
    });

    it('stops when asked to', async () => {
      await assert.rejects(attribute(toy(), BOTH, choice, { signal: AbortSignal.abort() }), AbortError);
    });

    it('reports its steps up to the last', async () => {
      const seen: Progress[] = [];
      await attribute(toy(), BOTH, choice, { onProgress: (progress) => seen.push(progress) });
      assert.equal(seen.at(-1)?.step, seen.at(-1)?.steps);
      assert.equal(seen.at(-1)?.remainingMs, 0);
    });
  });
}

describe('a token’s map that starts from the joint one', () => {
  for (const choice of everyChoice.filter(({ name }) => name === 'lens' || name.startsWith('igos'))) {
    it(`shows the token’s region alone: ${choice.name}, ${choice.preset ?? 'default'}`, async () => {
      const { method, options } = chosenMethod(choice);
      const joint = await method.attribute(toy(), BOTH, options, { seed: 0 });
      const map = await method.attribute(toy(), FIRST, options, { seed: 0 }, joint);
      assert.ok(energyIn(map, LEFT) > 0.5, `${energyIn(map, LEFT)} of the map lies in the token’s region`);
      assert.ok(energyIn(map, RIGHT) < 0.02, `${energyIn(map, RIGHT)} lies in the other token’s`);
    });
  }
});

describe('optimisers', () => {
  const at = (...data: number[]): Mask => ({ rows: 1, cols: data.length, data: Float32Array.from(data) });

  it('Nesterov: ζ_i = M − η·g, then i/(i + m) of the difference, worked out by hand', () => {
    const optimiser = nesterov(0.5, 3);
    // ζ_0 = 1 − ½·0.25 = 0.875, and no momentum yet.
    const first = optimiser.step(at(1), Float32Array.of(0.25));
    assert.equal(first.data[0], 0.875);
    // ζ_1 = 0.875 − ½·0.25 = 0.75; M = 0.75 + ¼·(0.75 − 0.875) = 0.71875.
    assert.equal(optimiser.step(first, Float32Array.of(0.25)).data[0], 0.71875);
  });

  it('Nesterov keeps the mask within 0 and 1', () => {
    assert.deepEqual([...nesterov(10, 5).step(at(0.5, 0.5), Float32Array.of(1, -1)).data], [0, 1]);
  });

  it('normalised: the cell that matters most moves by the learning rate, whatever the scale', () => {
    for (const scale of [1e-6, 1, 1e6]) {
      const { data } = normalised(0.25, 0.5).step(at(1, 1, 0.5), Float32Array.of(2 * scale, scale, -scale));
      assert.deepEqual([...data], [0.75, 0.875, 0.625]);
    }
  });

  it('normalised: stays where there is no gradient', () => {
    assert.deepEqual([...normalised(0.25, 0.5).step(at(0.3), Float32Array.of(0)).data], [Math.fround(0.3)]);
  });
});

describe('the paper preset', () => {
  it('costs what the paper says: 100 gradients for iGOS+, 200 for iGOS++', async () => {
    for (const [name, cost] of [
      ['igos+', 100],
      ['igos++', 200],
    ] as const) {
      const scorer = toy();
      await attribute(scorer, BOTH, { name, preset: 'paper' });
      assert.deepEqual(scorer.evaluations, { forward: 0, gradient: cost });
    }
  });

  it('has the README’s settings', () => {
    for (const name of ['igos+', 'igos++']) {
      const { l1, l2, l3, gamma, momentum, integrationSteps, iterations, learningRate, maskSize, noise } = chosenMethod(
        {
          name,
          preset: 'paper',
        },
      ).options;
      assert.deepEqual(
        { l1, l2, l3, gamma, momentum, integrationSteps, iterations, learningRate, maskSize, noise },
        {
          l1: 1,
          l2: 0.1,
          l3: 10,
          gamma: 1,
          momentum: 5,
          integrationSteps: 10,
          iterations: 5,
          learningRate: 10,
          maskSize: 32,
          noise: 0.2,
        },
      );
    }
  });

  it('draws other noise for another seed', async () => {
    const choice = { name: 'igos+', preset: 'paper' };
    const [one, two] = await Promise.all([
      attribute(toy(), BOTH, choice, { seed: 1 }),
      attribute(toy(), BOTH, choice, { seed: 2 }),
    ]);
    assert.notDeepEqual(one, two);
  });
});

describe('iGOS++', () => {
  it('takes the step that its objective says, worked out from the scorer’s own gradients', async () => {
    const [size, learningRate] = [8, 0.05];
    const bare = { l1: 0, l2: 0, l3: 0, noise: 0, integrationSteps: 1, maskSize: size, learningRate };
    const gradientAt = async (value: number) =>
      (await toy().gradient([{ mask: filledMask(size, size, value), weights: BOTH }]))[0]!.gradient.data;
    // D = I = 1 and α = 1: deletion is evaluated at 1, insertion at 1 − 1 = 0, where the chain rule turns the sign.
    const [image, baseline] = [await gradientAt(1), await gradientAt(0)];
    const map = await attribute(toy(), BOTH, { name: 'igos++', ...bare, iterations: 1 });
    map.data.forEach((saliency, cell) => {
      const [g, b] = [image[cell]!, baseline[cell]!];
      const deletion = Math.max(0, 1 - (learningRate * (g + (g + b))) / 2);
      const insertion = Math.max(0, 1 - (learningRate * (b + (g + b))) / 2);
      assert.ok(Math.abs(saliency - (1 - deletion * insertion)) < 1e-6);
    });
    assert.ok(
      map.data.some((saliency) => saliency > 1e-3),
      'the step is no step of nothing',
    );
  });
});

describe('the integrated score', () => {
  it('has the gradient that finite differences show, in both directions', async () => {
    const scorer = toy();
    const data = Float32Array.from({ length: 64 }, (_, i) => 0.2 + (0.6 * ((i * 37) % 64)) / 64);
    const along = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    for (const direction of ['deletion', 'insertion'] as const) {
      const at = async (by: number) => {
        const mask: Mask = { rows: 8, cols: 8, data: data.map((m, i) => m + by * along[i]!) };
        const [score] = await integratedScores(scorer, BOTH, [
          { direction, mask, alphas: evenAlphas(10), noise: () => undefined },
        ]);
        return score!;
      };
      const h = 1e-2;
      const expected = ((await at(h)).value - (await at(-h)).value) / (2 * h);
      const slope = (await at(0)).gradient.reduce((sum, g, i) => sum + g * along[i]!, 0);
      assert.ok(Math.abs(expected) > 0.01, 'the direction matters');
      assert.ok(Math.abs(slope - expected) < 1e-3 * Math.max(1, Math.abs(expected)), `${slope} against ${expected}`);
    }
  });

  it('swaps image and baseline by evaluating 1 − m', async () => {
    const scorer = toy();
    const [score] = await integratedScores(scorer, FIRST, [
      { direction: 'insertion', mask: filledMask(4, 4, 1), alphas: [1], noise: () => undefined },
    ]);
    const [[baseline]] = (await scorer.logp([{ mask: filledMask(4, 4, 0) }])) as [Float32Array];
    assert.equal(score!.value, baseline);
  });
});

describe('the golden ratio’s places', () => {
  it('lie one in each K-th, and never twice at the same', () => {
    const all = Array.from({ length: 10 }, (_, turn) => goldenAlphas(4, turn));
    for (const alphas of all) {
      alphas.forEach((alpha, k) => assert.ok(alpha > k / 4 && alpha <= (k + 1) / 4, `${alpha} is the ${k}th of 4`));
    }
    assert.equal(new Set(all.flat()).size, 40);
  });

  it('leave no gap: of 16 places, hardly two are further apart than twice their mean distance', () => {
    const sorted = Array.from({ length: 16 }, (_, turn) => goldenAlphas(1, turn)[0]!).sort((a, b) => a - b);
    const gaps = [...sorted, 1].map((alpha, i) => alpha - (sorted[i - 1] ?? 0));
    assert.ok(Math.max(...gaps) < 2 / 16, `${gaps}`);
  });
});

describe('noise on the pixels', () => {
  it('has a seed of its own for each iteration, term and step', () => {
    const seeds = [0, 1].flatMap((iteration) =>
      [0, 1].flatMap((term) => [0, 1].map((step) => pixelNoise(0.2, 7, iteration, term)(step)!.seed)),
    );
    assert.equal(new Set(seeds).size, 8);
    assert.deepEqual(pixelNoise(0.2, 7, 1, 0)(1), { sigma: 0.2, seed: noiseSeed(7, 1, 0, 1) });
  });

  it('is none where σ is 0', () => assert.equal(pixelNoise(0, 7, 1, 0)(1), undefined));
});

describe('lens', () => {
  it('costs 20 gradients and 43 looks for a joint map at most, and 8 gradients for a token’s', async () => {
    const { method, options } = chosenMethod({ name: 'lens' });
    const scorer = toy();
    const joint = await method.attribute(scorer, BOTH, options, { seed: 0 });
    assert.deepEqual(scorer.batches, [4, 4, 4, 4, 4]);
    assert.equal(scorer.evaluations.forward, 1 + 2 * (1 + 2 * 10));
    await method.attribute(scorer, FIRST, options, { seed: 0 }, joint);
    assert.deepEqual(scorer.evaluations, { forward: 43, gradient: 20 + 8 });
  });

  it('looks at no spot where none is to be checked, and is done after its iterations', async () => {
    const scorer = toy();
    const steps: number[] = [];
    await attribute(scorer, BOTH, { name: 'lens', spots: 0 }, { onProgress: ({ step }) => steps.push(step) });
    assert.deepEqual(scorer.evaluations, { forward: 0, gradient: 20 });
    assert.deepEqual(steps, [1, 2, 3, 4, 5]);
  });

  it('is low everywhere for a token that hardly looks, next to one that does', async () => {
    const most = async (weights: Float32Array) => {
      const scorer = new ToyScorer([LEFT, RIGHT, null]);
      const map = await attribute(scorer, weights, { name: 'lens' });
      return Math.max(...map.data);
    };
    assert.ok((await most(FIRST)) > 0.9, 'its probability falls from nearly 1 to nearly 0');
    assert.equal(await most(Float32Array.of(0, 0, 1)), 0, 'nothing changes it');
  });

  it('is not smoothed where no look confirms it, and says which it is', async () => {
    const found: boolean[] = [];
    const shape = async (steepness: number, options: object) => {
      const { data } = await attribute(
        new ToyScorer([LEFT], { steepness }),
        Float32Array.of(1),
        { name: 'lens', ...options },
        { onChecked: (confirmed) => found.push(confirmed) },
      );
      const most = Math.max(...data);
      return Array.from(data, (value) => Number((value / most).toFixed(4)));
    };
    const rough = { smoothing: 0, spots: 0 };
    assert.deepEqual(await shape(0.05, {}), await shape(0.05, rough), 'of a model that hardly looks');
    assert.notDeepEqual(await shape(12, {}), await shape(12, rough), 'of one that does');
    assert.deepEqual(found, [false, true], 'and nothing where it is not checked');
  });

  it('keeps its heat on what it looks at, where that has an edge', async () => {
    const energy = async (tolerance: number) =>
      energyIn(await attribute(toy(), FIRST, { name: 'lens', smoothing: 2.5, tolerance }), LEFT);
    const [within, across] = [await energy(0.15), await energy(0)];
    assert.ok(within > 0.97, `${within} lies in the region`);
    assert.ok(across < 0.9, `${across} does where edges do not matter`);
  });

  it('takes its baselines in turn; own is the scorer’s', async () => {
    const asked: (string | undefined)[][] = [];
    const scorer = toy();
    const listening: Scorer = Object.assign(Object.create(scorer) as Scorer, {
      gradient: (requests: readonly GradientRequest[]) => {
        asked.push([...new Set(requests.map(({ baseline }) => baseline))]);
        return scorer.gradient(requests);
      },
    });
    await attribute(listening, BOTH, { name: 'lens', baselines: ['own', 'noise', 'mean'] });
    assert.deepEqual(asked, [[undefined], ['noise'], ['mean'], [undefined], ['noise']]);
  });
});

describe('integrated gradients in mask space', () => {
  it('sum to S(image) − S(baseline)', async () => {
    const scorer = toy();
    const map = await integratedGradients(scorer, BOTH, { maskSize: 16, integrationSteps: 200 }, { seed: 0 });
    const [image, baseline] = await scorer.logp([{ mask: filledMask(16, 16, 1) }, { mask: filledMask(16, 16, 0) }]);
    const gained = image![0]! + image![1]! - baseline![0]! - baseline![1]!;
    assert.ok(Math.abs(map.data.reduce((sum, value) => sum + value, 0) - gained) < 1e-3 * gained);
  });
});

describe('in lockstep', () => {
  it('gives what one by one gives, in as many calls as one alone takes', async () => {
    const { method, options } = chosenMethod({ name: 'igos+', preset: 'paper' });
    const alone = await Promise.all([FIRST, SECOND].map((w) => method.attribute(toy(), w, options, { seed: 3 })));
    const scorer = toy();
    const together = await inLockstep(
      scorer,
      [FIRST, SECOND].map((w) => (shared) => method.attribute(shared, w, options, { seed: 3 })),
    );
    assert.deepEqual(together, alone);
    assert.deepEqual(scorer.batches, [40, 40, 40, 40, 40]);
  });

  it('does not wait for a work that has ended', async () => {
    const scorer = toy();
    const ask = (times: number) => async (shared: Scorer) => {
      for (let i = 0; i < times; i++) await shared.gradient([{ mask: filledMask(4, 4, 0.5), weights: FIRST }]);
      return times;
    };
    assert.deepEqual(await inLockstep(scorer, [ask(1), ask(3), ask(0)]), [1, 3, 0]);
    assert.deepEqual(scorer.batches, [2, 1, 1]);
  });

  it('keeps masks of different shapes apart', async () => {
    const scorer = toy();
    const ask = (size: number) => async (shared: Scorer) =>
      (await shared.gradient([{ mask: filledMask(size, size, 0.5), weights: FIRST }]))[0]!.gradient.rows;
    assert.deepEqual(await inLockstep(scorer, [ask(4), ask(8)]), [4, 8]);
    assert.deepEqual(scorer.batches, [1, 1]);
  });

  it('passes a failure on', async () => {
    const failing: Scorer = Object.assign(toy(), { gradient: () => Promise.reject(new Error('broken')) });
    const ask = (shared: Scorer) => shared.gradient([{ mask: filledMask(4, 4, 0.5), weights: FIRST }]);
    await assert.rejects(inLockstep(failing, [ask, ask]), /broken/);
  });
});

describe('choosing a method', () => {
  it('names the nearest method and all of them when there is none such', () => {
    assert.throws(
      () => chosenMethod({ name: 'gradcam' }),
      (error) => {
        assert.ok(error instanceof LensError);
        assert.match(
          error.message,
          /no method "gradcam".*Did you mean "grad-cam"\?.*igos\+, igos\+\+, integrated-gradients, .*rise/,
        );
        return true;
      },
    );
  });

  it('names the nearest option of the method', () => {
    assert.throws(
      () => chosenMethod({ name: 'igos+', iteration: 3 }),
      /method igos\+ has no option "iteration".*"iterations"/,
    );
  });

  it('says which value an option cannot have and what is allowed', () => {
    assert.throws(() => chosenMethod({ name: 'igos+', iterations: 0 }), /"iterations" cannot be 0.*at least 1/);
    assert.throws(() => chosenMethod({ name: 'igos+', iterations: 'many' }), /"iterations" cannot be "many".*a number/);
  });

  it('names the presets when there is none such', () => {
    assert.throws(() => chosenMethod({ name: 'igos+', preset: 'papr' }), /no preset "papr".*"paper".*default, paper/);
    assert.throws(() => chosenMethod({ name: 'grad-cam', preset: 'toString' }), /no preset "toString"/);
  });

  it('overrides single options of a preset', () => {
    const { options } = chosenMethod({ name: 'igos+', preset: 'paper', iterations: 2 });
    assert.deepEqual([options.iterations, options.l3], [2, 10]);
  });
});

describe('Grad-CAM on several views', () => {
  it('lays tiles where they belong', async () => {
    // Two tiles side by side, each of one channel; the left one is active in its right column, the right one nowhere.
    const tile = (left: number, features: number[]): FeatureGradient => ({
      rows: 1,
      cols: 2,
      channels: 1,
      features: Float32Array.from(features),
      gradient: Float32Array.of(1, 1),
      window: [left, 0, 0.5, 1],
    });
    const scorer: Scorer = Object.assign(toy(), {
      featureGradient: async () => [tile(0, [0, 8]), tile(0.5, [0, 0])],
    });
    const map = await attribute(scorer, FIRST, { name: 'grad-cam', maskSize: 4 });
    assert.deepEqual([...map.data.subarray(0, 4)], [0, 8, 0, 0]);
  });

  it('takes the score before the softmax, so that a sure token counts as much as another', async () => {
    const scorer = toy();
    const asked: (number | undefined)[] = [];
    const { internals } = toy();
    Object.assign(scorer, {
      featureGradient: (weights: Float32Array, odds?: number) => {
        asked.push(odds);
        return toy().featureGradient(weights);
      },
      internals: {
        ...internals,
        visionGradient: (weights: Float32Array, layer: number, odds?: number) => {
          asked.push(odds);
          return internals.visionGradient(weights, layer);
        },
        attention: (weights?: Float32Array, odds?: number) => {
          asked.push(odds);
          return internals.attention(weights);
        },
      },
    });
    for (const name of ['grad-cam', 'vision-grad-cam', 't-mm']) await attribute(scorer, FIRST, { name });
    assert.deepEqual(asked, Array(3).fill(NEARLY_LOG_ODDS));
  });

  it('averages views of the same place', async () => {
    const view = (value: number): FeatureGradient => ({
      rows: 1,
      cols: 1,
      channels: 1,
      features: Float32Array.of(value),
      gradient: Float32Array.of(1),
      window: [0, 0, 1, 1],
    });
    const scorer: Scorer = Object.assign(toy(), { featureGradient: async () => [view(2), view(4)] });
    const map = await attribute(scorer, FIRST, { name: 'grad-cam', maskSize: 2 });
    assert.deepEqual([...map.data], [3, 3, 3, 3]);
  });
});
