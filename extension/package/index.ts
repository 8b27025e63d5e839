/**
 * Makes the extension's package: `npm run package -- [--target linux-x64] [--out file.vsix]`. It holds what runs on one
 * platform and nothing else: the bundles, the embedded models, and of each npm package the files that are needed.
 */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { LensError } from '../../kernel/errors.ts';
import { packageFolder } from '../../kernel/model/embedded.ts';
import { packagesFor, type Lock, type Placed } from './locked-packages.ts';
import { isNeeded, LEFT_OUT, UNUSED } from './runtime-files.ts';
import { targetNamed, type Target } from './targets.ts';

const run = promisify(execFile);

/** The most that a package may weigh, in bytes. */
const BUDGET = 90e6;

/** Our own files that go into the package, by folder; `omit` says what of them does not. */
const OWN: readonly { readonly from: string; readonly omit?: RegExp }[] = [
  { from: 'dist', omit: /\.map$|\.tsbuildinfo$/ },
  { from: 'models' },
  { from: 'notebooks' },
  { from: 'extension/media', omit: /\.svg$/ },
  { from: 'docs/images' },
  { from: 'README.md' },
  { from: 'CHANGELOG.md' },
  { from: 'LICENSE' },
];

/** Packages that our code reaches by path, not by an import that a bundle shows. */
const BY_PATH = ['@types/node'];

/** What the manifest needs only where the package is developed or published to npm. */
const NOT_IN_MANIFEST = new Set(['devDependencies', 'scripts', 'files', 'allowScripts', 'dependencies']);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * Makes the package.
 * @param scan look for secrets in every file: slow, and needed only before a package leaves this machine
 * @returns its path and its size in bytes
 */
export async function packageExtension(
  target: Target,
  { out, scan = true }: { readonly out?: string | undefined; readonly scan?: boolean } = {},
): Promise<{ readonly file: string; readonly bytes: number }> {
  const root = packageFolder();
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Manifest;
  const file = path.resolve(out ?? path.join(root, 'out', `${manifest.name}-${target.name}-${manifest.version}.vsix`));
  const staging = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-vsix-'));
  try {
    await stageOwnFiles(root, staging, manifest);
    await stagePackages(root, staging, manifest, target);
    await mkdir(path.dirname(file), { recursive: true });
    await createVSIX({
      cwd: staging,
      packagePath: file,
      target: target.name,
      // They lie in dist/node_modules: vsce would ask npm, which does not know what we left out.
      dependencies: false,
      allowMissingRepository: true,
      rewriteRelativeLinks: false,
      allowPackageAllSecrets: !scan,
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  const { size } = await stat(file);
  return { file, bytes: size };
}

async function stageOwnFiles(root: string, staging: string, manifest: Manifest): Promise<void> {
  for (const { from, omit } of OWN) {
    await cp(path.join(root, from), path.join(staging, from), {
      recursive: true,
      filter: (source) => !omit?.test(source),
    });
  }
  // Everything in the staging folder is wanted; without this file vsce doubts it.
  await writeFile(path.join(staging, '.vscodeignore'), '');
  const kept = Object.fromEntries(Object.entries(manifest).filter(([key]) => !NOT_IN_MANIFEST.has(key)));
  await writeFile(path.join(staging, 'package.json'), JSON.stringify(kept, undefined, 2));
}

async function stagePackages(root: string, staging: string, manifest: Manifest, target: Target): Promise<void> {
  const { packages } = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Lock };
  const roots = [...(await importedPackages(root, Object.keys(manifest.dependencies))), ...BY_PATH];
  for (const placed of packagesFor(packages, roots, target, UNUSED)) {
    const installed = path.join(root, placed.folder);
    const source = existsSync(path.join(installed, 'package.json')) ? installed : await download(placed);
    await cp(source, path.join(staging, 'dist', placed.folder), {
      recursive: true,
      dereference: true,
      filter: async (from) => {
        const file = path.relative(source, from).split(path.sep).join('/');
        if (file === '') return true;
        // A package within it has an entry of its own.
        if (/(^|\/)node_modules(\/|$)/.test(file)) return false;
        return (await stat(from)).isDirectory() || isNeeded(placed.name, file, target);
      },
    });
    if (source !== installed) await rm(path.dirname(source), { recursive: true, force: true });
  }
  await removeEmptyFolders(path.join(staging, 'dist', 'node_modules'));
}

/** Those of `names` that Node's bundles name. What only browsers load is inside their bundles already. */
async function importedPackages(root: string, names: readonly string[]): Promise<string[]> {
  const dist = path.join(root, 'dist');
  const bundles = (await readdir(dist)).filter((file) => /\.c?js$/.test(file) && !/^(page|renderer)\.js$/.test(file));
  const text = (await Promise.all(bundles.map((file) => readFile(path.join(dist, file), 'utf8')))).join('\n');
  return names.filter((name) => !LEFT_OUT.has(name) && new RegExp(`["'\`]${name}["'\`/]`).test(text));
}

/** A package of another platform, which is not installed here. @returns its folder, in a temporary one */
async function download({ name, folder, locked }: Placed): Promise<string> {
  const temporary = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-package-'));
  const id = `${locked.name ?? name}@${locked.version}`;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  await run(npm, ['pack', id, '--silent', '--pack-destination', temporary], {
    cwd: temporary,
    shell: process.platform === 'win32',
  });
  const archive = (await readdir(temporary)).find((file) => file.endsWith('.tgz'));
  if (archive === undefined) throw new LensError(`npm pack made no archive of ${id}`, 'Is the registry reachable?');
  const hash = createHash('sha512')
    .update(await readFile(path.join(temporary, archive)))
    .digest('base64');
  if (locked.integrity !== undefined && locked.integrity !== `sha512-${hash}`) {
    throw new LensError(`${id} is not what package-lock.json says at ${folder}`, 'Check the registry that npm uses.');
  }
  await run('tar', ['-xzf', archive], { cwd: temporary });
  return path.join(temporary, 'package');
}

async function removeEmptyFolders(folder: string): Promise<boolean> {
  let empty = true;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const gone = entry.isDirectory() && (await removeEmptyFolders(path.join(folder, entry.name)));
    empty &&= gone;
  }
  if (empty) await rm(folder, { recursive: true });
  return empty;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { target: { type: 'string' }, out: { type: 'string' } } });
  const { file, bytes } = await packageExtension(targetNamed(values.target), { out: values.out });
  console.log(`${path.relative('', file)}: ${(bytes / 1e6).toFixed(1)} MB`);
  if (bytes > BUDGET) throw new LensError(`the package exceeds ${BUDGET / 1e6} MB`, 'See what grew: unzip -lv FILE');
}

if (process.argv[1] === import.meta.filename) {
  await main().catch((error: unknown) => {
    console.error(error instanceof LensError ? error.message : error);
    process.exitCode = 1;
  });
}
