import type { RemoteFile } from './listing.ts';

/** Without these a model cannot be loaded; of names that stand together one is enough. */
const NEEDED: readonly (readonly string[])[] = [
  ['config.json'],
  ['tokenizer.json'],
  ['tokenizer_config.json'],
  ['preprocessor_config.json', 'processor_config.json'],
];

/** Downloaded where the repository has them: what the loader reads, what other software reads from the same cache, and the licence. */
const WELCOME = [
  'generation_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'LICENSE',
  'LICENSE.md',
  'LICENSE.txt',
];

/** The files of a repository beside its graphs that a download brings. */
export function sideFiles(files: readonly RemoteFile[]): RemoteFile[] {
  return files.filter(({ path }) => NEEDED.flat().includes(path) || WELCOME.includes(path));
}

/** Which of the files that every model needs are not among these. */
export function absentNeeds(files: readonly { readonly path: string }[]): string[] {
  const isThere = (name: string) => files.some(({ path }) => path === name);
  return NEEDED.filter((names) => !names.some(isThere)).map(([name]) => name!);
}
