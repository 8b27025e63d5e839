import { METHODS } from '../../kernel/attribution/methods.ts';
import type { AttributionMethod } from '../../kernel/attribution/method.ts';

/** One row of the table: a method with one of its sets of options. */
export interface Setting {
  /** 'igos+', and with another preset than the default one 'igos+ paper'. */
  readonly name: string;
  readonly method: string;
  readonly preset: string;
  readonly options: Readonly<object>;
  readonly source: string;
}

/**
 * A setting that is no method's, but tells what is within a method's reach. Where an explanation is needed, for its answer and its tokens, the
 * cheapest method gives it.
 */
export const ruler = (own: Pick<Setting, 'name' | 'options' | 'source'>): Setting => ({
  method: 'input-x-gradient',
  preset: 'default',
  ...own,
});

/** First what the comparison is about, then the others in the order of their table. */
const FIRST = ['lens', 'igos+ paper', 'igos++ paper', 'igos+', 'igos++'];

const presetsOf = ({ defaults, presets = {} }: AttributionMethod): [string, object][] => {
  const others = Object.entries(presets);
  // A default that is the paper's own settings is listed under that name alone.
  const same = others.some(([, options]) => JSON.stringify(options) === JSON.stringify(defaults));
  return same ? others : [['default', defaults], ...others];
};

/** Every method of the kernel with every one of its presets, the most important first. */
export const SETTINGS: readonly Setting[] = [...METHODS.values()]
  .flatMap((method) =>
    presetsOf(method).map(([preset, options]) => ({
      name: preset === 'default' ? method.name : `${method.name} ${preset}`,
      method: method.name,
      preset,
      options,
      source: method.source,
    })),
  )
  .sort((a, b) => place(a) - place(b));

function place({ name }: Pick<Setting, 'name'>): number {
  const at = FIRST.indexOf(name);
  return at < 0 ? FIRST.length : at;
}

/** The settings that the comparison is about. */
export const isCore = ({ name }: Pick<Setting, 'name'>): boolean => FIRST.includes(name);
