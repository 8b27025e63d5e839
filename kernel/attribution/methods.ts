import { LensError } from '../errors.ts';
import { didYouMean } from '../nearest.ts';
import { checked } from '../options.ts';
import { attentionRollout } from './attention-rollout.ts';
import { gradCam } from './grad-cam.ts';
import { gridQueries } from './grid-queries.ts';
import { igosPlus } from './igos-plus.ts';
import { igosPlusPlus } from './igos-plus-plus.ts';
import { inputXGradient } from './input-x-gradient.ts';
import { integratedGradientsMethod } from './integrated-gradients.ts';
import { lens } from './lens.ts';
import type { AttributionMethod } from './method.ts';
import { occlusion } from './occlusion.ts';
import { rawAttention } from './raw-attention.ts';
import { rise } from './rise.ts';
import { smoothGrad } from './smooth-grad.ts';
import { superpixelSearch } from './superpixel-search.ts';
import { tMm } from './t-mm.ts';
import { tam } from './tam.ts';
import { visionGradCam } from './vision-grad-cam.ts';

/** A method whose options are known at run time only; `chosenMethod` checks them against its schema. */
function erased<Options extends object>(method: AttributionMethod<Options>): AttributionMethod {
  return {
    ...method,
    attribute: (scorer, weights, options, ...rest) => method.attribute(scorer, weights, options as Options, ...rest),
  };
}

/** Every attribution method by its name. A new method is one file and one entry here. */
export const METHODS: ReadonlyMap<string, AttributionMethod> = new Map(
  [
    erased(lens),
    erased(igosPlus),
    erased(igosPlusPlus),
    erased(integratedGradientsMethod),
    erased(smoothGrad),
    erased(inputXGradient),
    erased(gradCam),
    erased(visionGradCam),
    erased(tMm),
    erased(attentionRollout),
    erased(rawAttention),
    erased(tam),
    erased(occlusion),
    erased(rise),
    erased(gridQueries),
    erased(superpixelSearch),
  ].map((method) => [method.name, method]),
);

export const DEFAULT_METHOD = lens.name;

/** A method as users name it: its name, one of its presets, and any of its options. */
export interface MethodChoice {
  readonly name: string;
  /** 'default' where absent. */
  readonly preset?: string | undefined;
  readonly [option: string]: unknown;
}

export interface ChosenMethod {
  readonly method: AttributionMethod;
  readonly preset: string;
  /** Every option of the method. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * The method with all its options: the preset's, overridden by those given.
 * @throws LensError naming what is unknown or out of range, and what there is
 */
export function chosenMethod({ name, preset = 'default', ...given }: MethodChoice): ChosenMethod {
  const method = METHODS.get(name);
  if (!method) throw new LensError(`there is no method "${name}"`, didYouMean(name, [...METHODS.keys()], 'methods'));
  const presets: Readonly<Record<string, object>> = { default: method.defaults, ...method.presets };
  const base = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
  if (!base) {
    const having = [...METHODS.values()].filter((other) => Object.hasOwn(other.presets ?? {}, preset));
    throw new LensError(
      `${name} has no preset "${preset}"`,
      having.length > 0
        ? `These methods have it: ${having.map((other) => other.name).join(', ')}`
        : didYouMean(preset, Object.keys(presets), 'presets'),
    );
  }
  return { method, preset, options: checked(method.schema, { ...base, ...given }, `method ${name}`) };
}
