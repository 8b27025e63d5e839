import type { ImageSource } from '../image/picture.ts';
import type { DatasetRecord } from './records/record.ts';
import type { Sample } from './sample.ts';

/** What a format is given beside one record. */
export interface FormatSite {
  /** Whether the model is to choose from options; otherwise it answers in its own words. */
  readonly withChoices: boolean;
  /** A picture of the dataset's folder by its name, checked when it is read. */
  readonly picture: (name: string) => () => Promise<ImageSource>;
  /** Reference answers that lie in a file of their own, by the question's id. */
  readonly answers: ReadonlyMap<string, string>;
}

/** How one benchmark writes its samples down. */
export interface DatasetFormat {
  readonly name: string;
  /** Where the benchmark is published. */
  readonly source: string;
  /** Its questions' files, as it calls them. */
  readonly files: readonly string[];
  /** Fields by which a file of another name is recognised, in lower case. */
  readonly fields: readonly string[];
  /** The folder with its pictures beside the questions; absent where they lie in the file itself. */
  readonly images?: string;
  /** A file beside the questions with reference answers, as it calls it, and its fields. */
  readonly answers?: { readonly files: readonly string[]; readonly id: string; readonly text: string };
  /** @throws ZodError where a field is missing or not as it should be */
  sample(record: DatasetRecord, site: FormatSite): Sample;
}

/** Text of a dataset: what is longer is no question. */
export const MOST_CHARACTERS = 20_000;

/** 'A', 'B', … */
export const letterOf = (index: number): string => String.fromCharCode(65 + index);

/** A question with its options and what to do, as the paper's experiments ask it. */
export function withOptions(question: string, choices: readonly string[], instruction: string): string {
  return [question, ...choices.map((choice, i) => `${letterOf(i)}. ${choice}`), instruction].join('\n');
}
