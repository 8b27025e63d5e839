/** Bundles what there is into dist/: the library, the command and the engine for Node; the viewers for browsers. */
import { existsSync } from 'node:fs';
import { chmod, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { name, version, description, license } = JSON.parse(
  await readFile(new URL('package.json', import.meta.url), 'utf8'),
);
const production = !process.argv.includes('--development');

const common = {
  bundle: true,
  outdir: 'dist',
  sourcemap: true,
  logLevel: 'warning',
  metafile: true,
  legalComments: 'linked',
  define: { 'process.env.LVLM_LENS_VERSION': JSON.stringify(version) },
};

/** ES modules for Node. They share their code in chunks, so that a cell's `import` finds the kernel's own copy. */
const node = {
  ...common,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  splitting: true,
};

const browser = { ...common, platform: 'browser', target: ['es2022'], minify: production };

/** Each bundle by its name in dist/, with its entry. */
const bundles = [
  {
    ...node,
    entryPoints: {
      index: 'kernel/index.ts',
      onnx: 'kernel/onnx.ts',
      'lvlm-lens': 'kernel/cli/lvlm-lens.ts',
      engine: 'kernel/engine/server.ts',
      kernel: 'kernel/jupyter/kernel.ts',
      interrupter: 'kernel/jupyter/interrupter.ts',
      jupyter: 'kernel/jupyter/jupyter.ts',
    },
  },
  {
    ...common,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // VS Code loads extensions by `require`, and gives them its API under this name.
    external: ['vscode'],
    outExtension: { '.js': '.cjs' },
    define: { ...common.define, 'import.meta.url': 'bundleUrl' },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    entryPoints: { extension: 'extension/extension.ts' },
  },
  { ...browser, format: 'esm', entryPoints: { renderer: 'renderer/index.ts' } },
  { ...browser, format: 'iife', entryPoints: { page: 'renderer/page.ts' } },
];

/** JupyterLab's prebuilt extension is a folder. Its script is named by its content, so that no browser keeps an old one. */
const labextension = {
  ...browser,
  format: 'iife',
  sourcemap: false,
  outdir: 'dist/labextension/static',
  entryNames: '[name].[hash]',
  entryPoints: { remoteEntry: 'renderer/jupyterlab/index.ts' },
};

/** Entries that do not exist are left out: a part of the project can be built alone. */
function existing(entryPoints) {
  return Object.fromEntries(Object.entries(entryPoints).filter(([, file]) => existsSync(file)));
}

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const results = await Promise.all(
  bundles
    .map((bundle) => ({ ...bundle, entryPoints: existing(bundle.entryPoints) }))
    .filter(({ entryPoints }) => Object.keys(entryPoints).length > 0)
    .map((bundle) => build(bundle)),
);
// Chunks are named by their content: those of earlier builds go, after the new ones are there. Types are tsc's.
const made = new Set(results.flatMap(({ metafile }) => Object.keys(metafile.outputs).map((file) => basename(file))));
for (const entry of await readdir('dist', { withFileTypes: true })) {
  if (entry.isFile() && !made.has(entry.name)) await rm(join('dist', entry.name));
}
await rm('dist/labextension', { recursive: true, force: true });
const lab = await build(labextension);
const entry = Object.keys(lab.metafile.outputs).find((file) => file.endsWith('.js'));
const _build = { load: `static/${basename(entry)}`, mimeExtension: './mimeExtension' };
const manifest = { name, version, description, license, jupyterlab: { mimeExtension: true, _build } };
await writeFile('dist/labextension/package.json', `${JSON.stringify(manifest, undefined, 2)}\n`);
// The logos that Jupyter shows.
await cp('kernel/jupyter/logos', 'dist/logos', { recursive: true });
// npm makes the command executable when it installs the package, but a checkout runs it in place.
if (existsSync('dist/lvlm-lens.js')) await chmod('dist/lvlm-lens.js', 0o755);
