import { Engine } from './engine/client.ts';
import type { CallOptions } from './engine/client.ts';
import type { TaskName, TaskParams, TaskResult } from './engine/task-table.ts';
import { hubFolder, isOnHub } from './hub/index.ts';
import { parseReference, referenceText } from './model/reference.ts';

/**
 * The engine, for calls that may name a model on the Hub: that is downloaded here first, where the engine's queue does not wait for
 * it, and the engine is given its folder.
 */
class HubEngine extends Engine {
  override async call<Name extends TaskName>(
    task: Name,
    params: TaskParams<Name>,
    options: CallOptions = {},
  ): Promise<TaskResult<Name>> {
    const { model } = params;
    if (model === undefined) return super.call(task, params, options);
    const { model: name, dtype } = parseReference(model);
    if (!isOnHub(name)) return super.call(task, params, options);
    const folder = await hubFolder(name, { ...options, dtype });
    return super.call(task, { ...params, model: referenceText(folder, dtype) }, options);
  }
}

let engine: Engine | undefined;

/** The engine that the API's calls share; its process starts with the first call. */
export function defaultEngine(): Engine {
  engine ??= new HubEngine();
  return engine;
}

/** Ends the engine process and frees all models. Running calls reject with `AbortError`; the next call starts it again. */
export async function shutdown(): Promise<void> {
  await engine?.close();
}
