import { statSync } from 'node:fs';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { modelFolder, modelGraphFiles } from '../model/files.ts';
import type { LoadedModel, ModelCache } from '../model/loaded-model.ts';
import { openModel } from '../model/open-model.ts';
import { parseReference } from '../model/reference.ts';

/** How many models stay in memory. */
const KEPT = 4;

/** Models by folder; one whose files changed since is loaded anew. The least recently used is released. */
export class LoadedModels implements ModelCache {
  readonly #models = new LRUCache<string, Promise<LoadedModel>>({
    max: KEPT,
    dispose: (model) => void model.then((loaded) => loaded.release()).catch(() => undefined),
  });

  async open(model: string): Promise<LoadedModel> {
    const { model: name, dtype } = parseReference(model);
    const folder = modelFolder(name);
    // The same files are the same model, however they were chosen.
    const graphs = (await modelGraphFiles(folder, dtype)).flatMap(({ files }) => files.map((file) => file.path));
    const which = `${folder}\0${graphs.join()}\0`;
    const key = `${which}${lastChange(folder, graphs)}`;
    let loading = this.#models.get(key);
    if (loading === undefined) {
      for (const other of this.#models.keys()) if (other.startsWith(which)) this.#models.delete(other);
      loading = openModel(model);
      this.#models.set(key, loading);
      // A model that could not be loaded is tried again the next time.
      loading.catch(() => this.#models.delete(key));
    }
    return loading;
  }
}

function lastChange(folder: string, graphs: readonly string[]): number {
  const names = ['config.json', 'tokenizer.json', 'onnx', ...graphs];
  return Math.max(...names.map((name) => statSync(path.join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0));
}
