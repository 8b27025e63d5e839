/** The kernel process of one notebook: started when it is first needed, and again after it ended. */
import path from 'node:path';
import type { KernelInfo } from '../kernel/jupyter/ipc-protocol.ts';
import { KernelProcess } from '../kernel/jupyter/kernel-process.ts';
import type { Displays } from './cell-outputs.ts';
import type { Log } from './log.ts';
import { findNode } from './node-executable.ts';
import { binaries } from './packed-binaries.ts';
import { kernelEnvironment, readSettings } from './settings.ts';

/** A kernel that can run cells. */
export interface RunningKernel {
  readonly process: KernelProcess;
  readonly info: KernelInfo;
}

export class NotebookKernel {
  /** Outputs by display id, of this process's life. */
  displays: Displays = new Map();
  readonly #folder: string;
  readonly #log: Log;
  #starting: Promise<RunningKernel> | undefined;
  #process: KernelProcess | undefined;

  /** @param folder the notebook's: cells run there, and imports are resolved from there */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /**
   * The kernel, started if there is none.
   * @throws LensError where there is no suitable Node, KernelGone where it cannot start
   */
  running(): Promise<RunningKernel> {
    return (this.#starting ??= this.#start());
  }

  /** The kernel, if it runs or is about to. */
  get current(): KernelProcess | undefined {
    return this.#process;
  }

  interrupt(): void {
    this.#process?.interrupt();
  }

  /** Ends the kernel; variables are lost, and the next call of `running` starts another. */
  async stop(): Promise<void> {
    const process = this.#process;
    this.#forget();
    if (!process) return;
    this.#log.info(`stopping kernel ${process.pid ?? ''}`);
    await process.shutdown();
  }

  #forget(): void {
    this.#process = undefined;
    this.#starting = undefined;
    this.displays = new Map();
  }

  async #start(): Promise<RunningKernel> {
    try {
      await binaries();
      const settings = readSettings();
      const node = await findNode(settings.node);
      const env = { ...kernelEnvironment(settings), ...node.env };
      this.#log.info(`starting a kernel in ${this.#folder}, on Node ${node.version} (${path.normalize(node.path)})`);
      for (const [name, value] of Object.entries(env)) this.#log.debug(`${name}=${value}`);
      const started = new KernelProcess({ cwd: this.#folder, node: node.path, env });
      this.#process = started;
      void started.exited.then(({ code, signal, expected }) => {
        const how = signal === null ? `ended with code ${code ?? ''}` : `was killed (${signal})`;
        if (expected) this.#log.info(`kernel ${started.pid ?? ''} ended`);
        else this.#log.error(`kernel ${started.pid ?? ''} ${how}`);
        if (this.#process === started) this.#forget();
      });
      const info = await started.ready;
      this.#log.info(`kernel ${info.pid} is ready: LVLM Lens ${info.version}, TypeScript ${info.typescript}`);
      return { process: started, info };
    } catch (error) {
      this.#forget();
      throw error;
    }
  }
}
