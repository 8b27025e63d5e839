/** What front ends and notebooks are told of the cells' language. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Name of the kernel among Jupyter's kernels. */
export const KERNEL_NAME = 'lvlm-lens';
export const DISPLAY_NAME = 'LVLM Lens (TypeScript)';

/** As a notebook stores it; front ends choose the colouring by it. */
export const LANGUAGE_INFO = {
  file_extension: '.ts',
  mimetype: 'text/x-typescript',
  name: 'typescript',
} as const;

/** Version of the compiler that cells are checked by, without loading it. */
export function typescriptVersion(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('tslab/dist/converter'));
  const file = require.resolve('@tslab/typescript-for-tslab/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
