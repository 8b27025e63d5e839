/** `lvlm-lens jupyter install` and `uninstall` */
import { installKernel, uninstallKernel, type Place } from '../jupyter/kernelspec.ts';
import { DISPLAY_NAME } from '../jupyter/language-info.ts';
import { note, print } from './terminal.ts';

export interface PlaceFlags {
  readonly user?: boolean;
  readonly sysPrefix?: boolean;
  readonly prefix?: string;
}

/** Prints the folders that were made. */
export async function jupyterInstallCommand(flags: PlaceFlags): Promise<void> {
  const folders = await installKernel(placeOf(flags) ?? { kind: 'user' });
  for (const folder of folders) print(folder);
  note(`"${DISPLAY_NAME}" is among Jupyter's kernels now.`);
}

/** Prints the folders that were removed. Without a flag it looks wherever Jupyter does. */
export async function jupyterUninstallCommand(flags: PlaceFlags): Promise<void> {
  const folders = await uninstallKernel(placeOf(flags));
  for (const folder of folders) print(folder);
  note(folders.length > 0 ? `"${DISPLAY_NAME}" is gone.` : `"${DISPLAY_NAME}" was not installed there.`);
}

function placeOf({ user, sysPrefix, prefix }: PlaceFlags): Place | undefined {
  if (prefix !== undefined) return { kind: 'prefix', prefix };
  if (sysPrefix) return { kind: 'sys-prefix' };
  return user ? { kind: 'user' } : undefined;
}
