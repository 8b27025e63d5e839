import type { ImageSource } from '../image/picture.ts';

/** One question about one picture. */
export interface Sample {
  /** Tells its record from the others of the dataset. */
  readonly id: string;
  /** Or a function that reads it when its turn comes, so that pictures need not be in memory together. */
  readonly image: ImageSource | (() => Promise<ImageSource>);
  /** As the model is asked: for a question with choices they are a part of it. */
  readonly question: string;
  /** Explained instead of the model's own answer. */
  readonly answer?: string | undefined;
  /** Acceptable answers; with choices, letters or texts of the right ones. */
  readonly references?: string | readonly string[] | undefined;
  /** What there is to choose from, in the order of A, B, … */
  readonly choices?: readonly string[] | undefined;
  /** A group of samples that results are told of by. */
  readonly category?: string | undefined;
}

/** A sample that cannot be read: it is recorded as failed, with this message. */
export interface UnreadableSample {
  readonly id: string;
  readonly problem: string;
}

export type DatasetSample = Sample | UnreadableSample;
