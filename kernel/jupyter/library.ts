/** The library that cells may use without installing it: this package itself, wherever the notebook lies. */

import type { ValueContext } from './caret.ts';

/** A package offered to cells by name, though no `node_modules` folder beside the notebook holds it. */
export interface CellLibrary {
  /** As cells write it after `from`: 'lvlm-lens'. */
  readonly name: string;
  /** Folder of its package.json; types are found from there. */
  readonly root: string;
  /** What importing it by its bare name gives. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of values in scope without import. */
  readonly values: readonly string[];
  /** Names of types in scope without import. */
  readonly types: readonly string[];
  /** Names that only run time knows: what could stand in a string there. */
  readonly stringValues?: (context: ValueContext) => Promise<readonly string[]>;
  /** The same for members of an object, given those of its members that are strings. */
  readonly memberNames?: (context: ValueContext, strings: Readonly<Record<string, string>>) => readonly string[];
}
