import type { BaselineName, ScoreRequest } from './scorer.ts';

/** What may take the place of the image where a method has several in turn; 'own' is the question's own. */
export const BASELINE_CHOICES = ['own', 'blur', 'black', 'mean', 'noise'] as const satisfies readonly (
  BaselineName | 'own'
)[];
export type BaselineChoice = (typeof BASELINE_CHOICES)[number];

/** The part of a request that says so: nothing for the question's own, which the scorer knows. */
export const against = (choice: BaselineChoice): Pick<ScoreRequest, 'baseline'> =>
  choice === 'own' ? {} : { baseline: choice };
