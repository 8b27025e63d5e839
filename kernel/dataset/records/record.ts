import type { ImageSource } from '../../image/picture.ts';

/** One line of a dataset's file: its fields, or why it could not be read. */
export interface DatasetRecord {
  /** From 1, the heading not counted. */
  readonly number: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly problem?: string;
  /** A picture that lies in the file itself, by its field. */
  readonly picture?: (field: string) => Promise<ImageSource>;
}
