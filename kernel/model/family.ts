import type { ModelConfig } from './config.ts';
import type { ModelFiles } from './files.ts';
import type { Positions, Prompt, TokenPlace } from './sequence.ts';
import type { ValueInfo } from './session.ts';
import type { PictureSize, VisionPlan } from './vision-plan.ts';

/** What a family may read of a model. */
export interface FamilySite {
  readonly files: ModelFiles;
  /** Text of a token, as the vocabulary has it. */
  tokenOf(id: number): string | undefined;
  /** Text of the image token. */
  readonly imageToken: string;
  /** Inputs that an encoder's file declares, by name: exports of one family differ. */
  inputs(graph: string): ReadonlyMap<string, ValueInfo>;
  /** Values of a weight that is an output of a graph, under that name; undefined where there is none. */
  constant(graph: string, output: string): Float32Array | undefined;
}

/** The few facts in which one family of models differs from another. */
export interface Family {
  /** Id of the token in whose places the picture's features stand. */
  imageToken(config: ModelConfig): number | undefined;
  /** Stems of the encoders' files (and of a fusing graph). Default: ['vision_encoder']. */
  encoders?(config: ModelConfig): readonly string[];
  /** Jinja source for folders that have no chat template of their own. */
  readonly chatTemplate?: string;
  /** Text that a rendered chat template has where the picture goes, replaced by the plan's placeholder. Default: the image token. */
  pictureText?(site: FamilySite): string;
  /**
   * Reads and checks what the configs say of pictures, once; the result plans pictures of any size.
   * @throws LensError where something that it needs is missing
   */
  vision(site: FamilySite): (picture: PictureSize) => VisionPlan;
  /** Position ids of a prompt. Default: 0, 1, 2, … */
  positions?(prompt: Prompt, plan: VisionPlan, config: ModelConfig): Positions;
  /** Whether every token of a prompt sees every other; tokens of an answer see what stands before them. Default: causal throughout. */
  readonly promptSeesItself?: boolean;
  /** Further inputs of the decoder with one number for each token, such as `token_type_ids`. */
  readonly tokenInputs?: Readonly<Record<string, (place: TokenPlace) => number>>;
}
