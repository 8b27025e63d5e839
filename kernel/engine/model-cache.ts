import { statSync } from 'node:fs';
import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { modelFolder } from '../model/files.ts';
import type { LoadedModel, ModelCache } from '../model/loaded-model.ts';
import { openModel } from '../model/open-model.ts';

/** How many models stay in memory. */
const KEPT = 4;

/** Models by folder; one whose files changed since is loaded anew. The least recently used is released. */
export class LoadedModels implements ModelCache {
  readonly #models = new LRUCache<string, Promise<LoadedModel>>({
    max: KEPT,
    dispose: (model) => void model.then((loaded) => loaded.release()).catch(() => undefined),
  });

  async open(model: string): Promise<LoadedModel> {
    const folder = modelFolder(model);
    const key = `${folder}\0${lastChange(folder)}`;
    let loading = this.#models.get(key);
    if (loading === undefined) {
      for (const other of this.#models.keys()) if (other.startsWith(`${folder}\0`)) this.#models.delete(other);
      loading = openModel(model);
      this.#models.set(key, loading);
      // A model that could not be loaded is tried again the next time.
      loading.catch(() => this.#models.delete(key));
    }
    return loading;
  }
}

function lastChange(folder: string): number {
  const times = [
    'config.json',
    'tokenizer.json',
    'onnx',
    'onnx/vision_encoder.onnx',
    'onnx/decoder_model_merged.onnx',
  ].map((name) => statSync(path.join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.max(...times);
}
