/**
 * Makes the extension's package: `npm run package -- [--target linux-x64] [--out file.vsix] [--draft]`. It holds what runs on one
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
import { contents, table } from './contents.ts';
import { packagesFor, type Lock, type Placed } from './locked-packages.ts';
import { packBinaries } from './pack-binaries.ts';
import { isNeeded, LEFT_OUT, UNUSED } from './runtime-files.ts';
import { targetNamed, type Target } from './targets.ts';

const run = promisify(execFile);

/** The most that a package may weigh, in bytes. */
const BUDGET = 90e6;

/** Our own files that go into the package, by folder; `omit` says what of them does not. */
const OWN: readonly { readonly from: string; readonly omit?: RegExp }[] = [
  { from: 'dist', omit: /\.map$|\.tsbuildinfo$/ },
  { from: 'models' },
  // What the commands open.
  { from: 'notebooks/quickstart.ipynb' },
  { from: 'notebooks/images' },
  { from: 'extension/media', omit: /\.svg$/ },
  // The one in the README.
  { from: 'docs/images/explanation-light.png' },
  { from: 'README.md' },
  { from: 'CHANGELOG.md' },
  { from: 'LICENSE' },
];

/** Packages that our code reaches by path, not by an import that a bundle shows. */
const BY_PATH = [
  '@types/node',
  ...['arabic', 'devanagari', 'hebrew', 'thai'].map((script) => `@fontsource-variable/noto-sans-${script}`),
];

/** What the manifest needs only where the package is developed or published to npm. */
const NOT_IN_MANIFEST = new Set(['devDependencies', 'scripts', 'files', 'allowScripts', 'dependencies']);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * Makes the package.
 * @param draft in a few seconds: a tenth larger, and its files are not looked through for secrets. Not for a package that leaves
 *   this machine.
 * @returns its path and its size in bytes
 */
export async function packageExtension(
  target: Target,
  { out, draft = false }: { readonly out?: string | undefined; readonly draft?: boolean | undefined } = {},
): Promise<{ readonly file: string; readonly bytes: number }> {
  const root = packageFolder();
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Manifest;
  const file = path.resolve(out ?? path.join(root, 'out', `${manifest.name}-${target.name}-${manifest.version}.vsix`));
  const staging = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-vsix-'));
  try {
    await stageOwnFiles(root, staging, manifest);
    await stagePackages(root, staging, manifest, target);
    await packBinaries(path.join(staging, 'dist'), draft ? 5 : 11);
    await mkdir(path.dirname(file), { recursive: true });
    await createVSIX({
      cwd: staging,
      packagePath: file,
      target: target.name,
      // They lie in dist/node_modules: vsce would ask npm, which does not know what we left out.
      dependencies: false,
      allowMissingRepository: true,
      rewriteRelativeLinks: false,
      allowPackageAllSecrets: draft,
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
  await nameZeromqsBinary(path.join(staging, 'dist', 'node_modules', 'zeromq', 'build'));
}

/** Its loader tries every binary that its manifest names, and warns of those that are missing. */
async function nameZeromqsBinary(build: string): Promise<void> {
  const manifest = path.join(build, 'manifest.json');
  const named = Object.entries(JSON.parse(await readFile(manifest, 'utf8')) as Record<string, string>);
  // Those of Windows are named in its way.
  const there = named.filter(([, file]) => existsSync(path.join(build, ...file.split(/[\\/]/))));
  if (there.length === 0) throw new LensError('none of the binaries that ZeroMQ names is in the package');
  await writeFile(manifest, JSON.stringify(Object.fromEntries(there)));
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
  const { target, out, draft } = parseArgs({
    options: { target: { type: 'string' }, out: { type: 'string' }, draft: { type: 'boolean' } },
  }).values;
  const { file, bytes } = await packageExtension(targetNamed(target), { out, draft });
  console.log(table(await contents(file)));
  console.log(`${path.relative('', file)}: ${(bytes / 1e6).toFixed(1)} MB`);
  if (bytes > BUDGET) throw new LensError(`the package exceeds ${BUDGET / 1e6} MB`, 'The table above says what grew.');
}

if (process.argv[1] === import.meta.filename) {
  await main().catch((error: unknown) => {
    console.error(error instanceof LensError ? error.message : error);
    process.exitCode = 1;
  });
}
