/** The library that cells may use without installing it: this package itself, wherever the notebook lies. */

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
}
