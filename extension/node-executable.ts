/** Which Node runs the kernel. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LensError } from '../kernel/errors.ts';

const run = promisify(execFile);

/** The oldest that can run cells. */
const OLDEST = [20, 12] as const;

export interface NodeExecutable {
  readonly path: string;
  /** Without 'v': '20.12.0'. */
  readonly version: string;
  /** What its environment needs to be Node. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The Node that the user names; else `node` of the search path, where it is new enough; else the one that runs this
 * process, which on a desktop is VS Code itself.
 * @param named path of an executable, or ''
 * @throws LensError where the named one is missing, no Node or too old
 */
export async function findNode(named: string): Promise<NodeExecutable> {
  if (named !== '') return await namedNode(named);
  const onPath = await versionOf('node').catch(() => undefined);
  if (onPath !== undefined && isNewEnough(onPath)) return { path: 'node', version: onPath, env: {} };
  return { path: process.execPath, version: process.versions.node, env: { ELECTRON_RUN_AS_NODE: '1' } };
}

async function namedNode(named: string): Promise<NodeExecutable> {
  let version: string;
  try {
    version = await versionOf(named);
  } catch (error) {
    throw new LensError(
      `the setting "lvlmLens.node" names "${named}", which cannot be run: ${(error as Error).message.split('\n')[0]!}`,
      'Set it to the path of a Node executable, or leave it empty.',
    );
  }
  if (!isNewEnough(version)) {
    throw new LensError(
      `"${named}" is Node ${version}, and cells need ${OLDEST.join('.')} or newer`,
      'Set "lvlmLens.node" to a newer one, or leave it empty.',
    );
  }
  return { path: named, version, env: {} };
}

/** @throws where it cannot be run or says something that is no version */
async function versionOf(executable: string): Promise<string> {
  const { stdout } = await run(executable, ['--version'], { timeout: 10_000, windowsHide: true });
  const version = /^v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error('it is no Node');
  return version;
}

/** Whether cells can run on a Node of this version, such as '20.12.0'. */
export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
