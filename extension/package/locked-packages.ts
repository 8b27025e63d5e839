/** Which npm packages run on a platform, as package-lock.json has them. */
import type { Target } from './targets.ts';

/** One entry of a lock file's `packages`, as far as it is of interest here. */
export interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  /** The name in the registry, where it is installed under another. */
  readonly name?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export type Lock = Readonly<Record<string, LockedPackage>>;

/** A package as it is to be installed: where, and from what. */
export interface Placed {
  /** Its folder, from the folder of the lock file: 'node_modules/a/node_modules/b'. */
  readonly folder: string;
  readonly name: string;
  readonly locked: LockedPackage;
}

/**
 * The packages that `roots` need on `target`, each where Node looks for it.
 * @param unused dependencies that a package declares and our use of it does not need, by the package's name
 */
export function packagesFor(
  lock: Lock,
  roots: readonly string[],
  target: Target,
  unused: Readonly<Record<string, readonly string[]>>,
): Placed[] {
  const found = new Map<string, Placed>();
  const visit = (name: string, from: string): void => {
    const folder = placeOf(lock, name, from);
    if (folder === undefined || found.has(folder)) return;
    const locked = lock[folder]!;
    if (!runsOn(locked, target)) return;
    found.set(folder, { folder, name, locked });
    for (const dependency of Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })) {
      if (!unused[name]?.includes(dependency)) visit(dependency, folder);
    }
  };
  for (const root of roots) visit(root, '');
  return [...found.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** Where Node finds `name` for a file in `from`: in the nearest `node_modules` on the way up. */
function placeOf(lock: Lock, name: string, from: string): string | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const folder = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (folder in lock) return folder;
    if (base === '') return undefined;
  }
}

function runsOn({ os, cpu, libc }: LockedPackage, target: Target): boolean {
  const allows = (list: readonly string[] | undefined, value: string | undefined): boolean =>
    list === undefined || value === undefined || (list.includes(value) && !list.includes(`!${value}`));
  return allows(os, target.os) && allows(cpu, target.cpu) && (libc === undefined || libc.includes(target.libc ?? ''));
}
