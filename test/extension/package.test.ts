import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { packagesFor, type Lock } from '../../extension/package/locked-packages.ts';
import { isNeeded, UNUSED } from '../../extension/package/runtime-files.ts';
import { TARGETS, targetNamed } from '../../extension/package/targets.ts';
import { METHODS } from '../../kernel/attribution/methods.ts';
import { MIME_TYPE } from '../../kernel/document.ts';
import { LensError } from '../../kernel/errors.ts';

interface Manifest {
  readonly main: string;
  readonly icon: string;
  readonly capabilities: { readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] } };
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string; readonly icon: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
    readonly notebookRenderer: readonly { readonly mimeTypes: readonly string[] }[];
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly enum?: readonly string[] }>> };
    readonly walkthroughs: readonly {
      readonly steps: readonly {
        readonly description: string;
        readonly media: { readonly image: Readonly<Record<string, string>>; readonly altText: string };
      }[];
    }[];
  };
}

describe('the manifest', () => {
  let manifest: Manifest;
  let source: string;

  before(async () => {
    manifest = JSON.parse(await readFile('package.json', 'utf8')) as Manifest;
    source = await readFile('extension/commands/index.ts', 'utf8');
  });

  it('names the commands that there are, each with title and icon', () => {
    const named = manifest.contributes.commands.map(({ command }) => command);
    const implemented = [...source.matchAll(/'(lvlmLens\.\w+)':/g)].map(([, name]) => name);
    assert.deepEqual([...named].sort(), implemented.sort());
    for (const { title, icon } of manifest.contributes.commands) assert.ok(title && /^\$\(.+\)$/.test(icon));
    const inMenus = Object.values(manifest.contributes.menus).flatMap((items) => items.map(({ command }) => command));
    const inWalkthrough = manifest.contributes.walkthroughs
      .flatMap(({ steps }) => steps)
      .flatMap(({ description }) => [...description.matchAll(/command:([\w.]+)/g)].map(([, name]) => name!));
    for (const command of [...inMenus, ...inWalkthrough]) assert.ok(named.includes(command), command);
  });

  it('offers the methods that there are', () => {
    assert.deepEqual(manifest.contributes.configuration.properties['lvlmLens.defaultMethod']!.enum, [
      ...METHODS.keys(),
    ]);
  });

  it('ignores all settings of folders that are not trusted', () => {
    assert.deepEqual(
      [...manifest.capabilities.untrustedWorkspaces.restrictedConfigurations].sort(),
      Object.keys(manifest.contributes.configuration.properties).sort(),
    );
  });

  it('shows pictures that exist, with words for those who do not see them', () => {
    assert.ok(existsSync(manifest.icon));
    for (const { media } of manifest.contributes.walkthroughs.flatMap(({ steps }) => steps)) {
      for (const file of Object.values(media.image)) assert.ok(existsSync(file), file);
      assert.ok(media.altText.length > 20);
    }
  });

  it('renders the MIME type that the kernel writes', () => {
    assert.deepEqual(manifest.contributes.notebookRenderer[0]!.mimeTypes, [MIME_TYPE]);
  });
});

describe("the extension's package", () => {
  let lock: Lock;

  before(async () => {
    lock = (JSON.parse(await readFile('package-lock.json', 'utf8')) as { packages: Lock }).packages;
  });

  const folders = (target: string) =>
    packagesFor(lock, ['sharp', 'canvas', 'onnxruntime-node', 'tslab', 'zeromq'], targetNamed(target), UNUSED).map(
      ({ folder }) => folder,
    );

  for (const [target, own, other] of [
    ['linux-x64', 'linux-x64', 'win32-x64'],
    ['darwin-arm64', 'darwin-arm64', 'linux-x64'],
    ['win32-x64', 'win32-x64', 'darwin-arm64'],
  ] as const) {
    it(`holds the binaries of ${target} and of no other platform`, () => {
      const all = folders(target);
      assert.ok(all.includes(`node_modules/@img/sharp-${own}`));
      assert.ok(all.some((folder) => folder.startsWith(`node_modules/@napi-rs/canvas-${own}`)));
      assert.ok(
        !all.some((folder) => folder.includes(other) || folder.includes('musl') || folder.includes('wasm')),
        all.join(),
      );
    });
  }

  it('holds what the packages need, and not what only their installation or other uses need', () => {
    const all = folders('linux-x64');
    for (const name of ['onnxruntime-common', '@tslab/typescript-for-tslab', 'semver', 'cmake-ts', 'detect-libc']) {
      assert.ok(all.includes(`node_modules/${name}`), name);
    }
    for (const name of ['rollup', 'global-agent', 'node-addon-api'])
      assert.ok(!all.includes(`node_modules/${name}`), name);
  });

  it('holds of ONNX Runtime and ZeroMQ what runs here', () => {
    const linux = targetNamed('linux-x64');
    assert.ok(isNeeded('onnxruntime-node', 'bin/napi-v6/linux/x64/libonnxruntime.so.1', linux));
    assert.ok(!isNeeded('onnxruntime-node', 'bin/napi-v6/linux/arm64/libonnxruntime.so.1', linux));
    const windows = targetNamed('win32-x64');
    assert.ok(isNeeded('onnxruntime-node', 'bin/napi-v6/win32/x64/DirectML.dll', windows));
    assert.ok(!isNeeded('onnxruntime-node', 'bin/napi-v6/win32/x64/dxcompiler.dll', windows));
    for (const target of TARGETS) {
      const folder = `build/${target.os}/${target.cpu}/node`;
      const kept = readdirSync(`node_modules/zeromq/${folder}`).filter(
        (abi) =>
          existsSync(`node_modules/zeromq/${folder}/${abi}/addon.node`) &&
          isNeeded('zeromq', `${folder}/${abi}/addon.node`, target),
      );
      assert.equal(kept.length, 1, target.name);
    }
    assert.ok(isNeeded('zod', 'v4/package.json', linux), 'it says what kind of module its files are');
    assert.ok(!isNeeded('anything', 'README.md', linux));
    assert.ok(isNeeded('anything', 'LICENSE.md', linux));
  });

  it('is refused for platforms without binaries', () => {
    assert.throws(
      () => targetNamed('darwin-x64'),
      (error) => error instanceof LensError && /linux-x64/.test(error.message),
    );
  });
});
