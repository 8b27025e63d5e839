/** The platforms that an extension package can be made for. */
import { LensError } from '../../kernel/errors.ts';

export interface Target {
  /** As the Marketplace calls it. */
  readonly name: string;
  /** As Node and npm call its parts. */
  readonly os: 'linux' | 'darwin' | 'win32';
  readonly cpu: 'x64' | 'arm64';
  readonly libc?: 'glibc';
}

/** Those that ONNX Runtime, sharp and the canvas have binaries for. */
export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: 'linux-arm64', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64' },
  { name: 'win32-x64', os: 'win32', cpu: 'x64' },
  { name: 'win32-arm64', os: 'win32', cpu: 'arm64' },
];

/** @throws LensError naming the targets that there are */
export function targetNamed(name = `${process.platform}-${process.arch}`): Target {
  const target = TARGETS.find((each) => each.name === name);
  if (target) return target;
  throw new LensError(
    `there are no binaries of ONNX Runtime for "${name}"`,
    `Possible targets: ${TARGETS.map((each) => each.name).join(', ')}.`,
  );
}
