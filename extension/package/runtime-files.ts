/** What of each npm package is needed to run it: everything else stays out of the extension. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Target } from './targets.ts';

/** Dependencies for installing or for uses of a package that are not ours. */
export const UNUSED: Readonly<Record<string, readonly string[]>> = {
  // Its converter is used alone, with our types of Node.
  tslab: [
    '@types/node',
    '@rollup/plugin-commonjs',
    '@rollup/plugin-node-resolve',
    '@rollup/plugin-replace',
    'rollup',
    'commander',
  ],
  // Of its install script, which downloads CUDA libraries.
  'onnxruntime-node': ['adm-zip', 'global-agent'],
  // To compile it where there is no binary.
  zeromq: ['node-addon-api'],
  'cmake-ts': ['@types/node', 'cli-progress', 'dayjs', 'resolve', 'tslib', 'which', 'splitargs', 'fs-extra'],
  // Of its command, and of its types.
  '@huggingface/hub': ['cli-progress', '@huggingface/tasks'],
  // Runs where none of its binaries does.
  sharp: ['@img/sharp-wasm32'],
};

/** Packages that the extension comes without, for their weight; their use says what to install. */
export const LEFT_OUT: ReadonlySet<string> = new Set(['@duckdb/node-api']);

/** Documents, tests, sources of compiled files, and what only a compiler or an editor reads. */
const NEVER =
  /(^|\/)(\.[^/]*|docs?|tests?|__tests__|examples?|benchmarks?|coverage|AUTHORS|CHANGELOG[^/]*|HISTORY[^/]*|README[^/]*|CONTRIBUTING[^/]*|tsconfig[^/]*|binding\.gyp)(\/|$)|\.(map|flow|markdown|md|d\.[cm]?ts|[cm]?ts|tsx|h|hpp|cc|cpp|gyp|gypi|tgz)$/i;

const LICENCE = /(^|\/)(licen[cs]e|notice|third[-_]?party)[^/]*$/i;

/** Which of ZeroMQ's binaries. */
const ZEROMQ = { linux: 'glibc-127', darwin: 'libc-115', win32: 'msvc-115' } as const;

/** Files of the languages that `highlight.js/lib/common` registers. */
function commonLanguages(): ReadonlySet<string> {
  const require = createRequire(import.meta.url);
  const source = readFileSync(require.resolve('highlight.js/lib/common'), 'utf8');
  return new Set([...source.matchAll(/require\('\.\/(languages\/[\w-]+)'\)/g)].map(([, name]) => `lib/${name!}.js`));
}

/**
 * Of these packages only the files named; a file is its path within the package. Types of Node and of zod are among them:
 * cells are checked against them.
 */
function wanted(name: string, { os, cpu }: Target): ((file: string) => boolean) | undefined {
  const table: Readonly<Record<string, (file: string) => boolean>> = {
    'onnxruntime-node': (file) =>
      /^dist\/.*\.js$/.test(file) ||
      // The library lies there twice for Macs; the binding names the short one. The compiler of Direct3D's newest shaders is one that
      // WebGPU on Windows can do without: Windows has an older one.
      (file.startsWith(`bin/napi-v6/${os}/${cpu}/`) &&
        !/libonnxruntime\.\d+\.\d+\.\d+\.dylib$|(dxcompiler|dxil)\.dll$/.test(file)),
    'onnxruntime-common': (file) => /^dist\/(cjs|esm)\/.*\.(js|json)$/.test(file),
    zeromq: (file) =>
      /^lib\/.*\.js$/.test(file) ||
      file === 'build/manifest.json' ||
      // One serves every Node that has Node-API; of those for Linux, the one that needs no newer glibc than ONNX Runtime does.
      file.startsWith(`build/${os}/${cpu}/node/${ZEROMQ[os]}-Release/`),
    'cmake-ts': (file) => /^build\/loader\.[cm]?js$/.test(file),
    tslab: (file) => /^dist\/.*\.js$/.test(file),
    '@tslab/typescript-for-tslab': (file) => /^lib\/(typescript\.js|lib\..*\.d\.ts|lib\.d\.ts)$/.test(file),
    '@fontsource/inter': (file) =>
      file === 'unicode.json' ||
      /^files\/inter-(latin|greek|cyrillic|vietnamese)[a-z-]*-[46]00-normal\.woff2$/.test(file),
    'highlight.js': (file) => commonLanguages().has(file) || /^(lib|es)\/(common|core)\.js$/.test(file),
    '@huggingface/hub': (file) => /^dist\/[^/]*\.mjs$/.test(file) && file !== 'dist/cli.mjs',
    'markdown-it': (file) => !/^dist\/browser\//.test(file) && !NEVER.test(file),
    stopword: (file) => file === 'dist/stopword.cjs.js',
    // Without languages and plug-ins.
    dayjs: (file) => file === 'dayjs.min.js',
    // Its version 3 and its CommonJS twin are in the package too.
    zod: (file) => /^(index|mini\/.*|v4\/.*)\.(js|d\.ts)$/.test(file),
    '@types/node': (file) => file.endsWith('.d.ts'),
    'undici-types': (file) => file.endsWith('.d.ts'),
  };
  // A system with VS Code has ideographs: ours would weigh 13 MB.
  if (/^@fontsource-variable\/noto-sans-(sc|jp|kr)$/.test(name)) return () => false;
  if (name.startsWith('@fontsource-variable/')) {
    return (file) => file === 'unicode.json' || /^files\/.*-wght-normal\.woff2$/.test(file);
  }
  return table[name];
}

/**
 * Whether a file of a package goes into the extension.
 * @param file from the package's folder, with '/'
 */
export function isNeeded(name: string, file: string, target: Target): boolean {
  // Also in folders of a package: they say which files are ES modules.
  if (/(^|\/)package\.json$/.test(file) || LICENCE.test(file)) return true;
  const only = wanted(name, target);
  if (only) return only(file);
  return !NEVER.test(file);
}
