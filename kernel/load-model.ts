import { LoadModelOptionsSchema, ModelSchema } from './call-options.ts';
import type { CallOptions } from './call-options.ts';
import { defaultModel } from './defaults.ts';
import { defaultEngine } from './default-engine.ts';
import { hubFolder, isOnHub } from './hub/index.ts';
import type { DtypeChoice } from './hub/index.ts';
import type { ModelInfo, ModelProvenance } from './model/loaded-model.ts';
import { parseReference, referenceText } from './model/reference.ts';
import { checked } from './options.ts';

/** A loaded model, as plain data; the option `model` of every call takes it. */
export interface Model extends ModelInfo {
  readonly provenance: ModelProvenance;
}

export interface LoadModelOptions extends CallOptions {
  /** Of a model on the Hub: a branch, a tag or a commit. Default 'main'. */
  readonly revision?: string | undefined;
  /**
   * Data types of the graphs, one for all ('q4') or one for each ({ decoder_model_merged: 'q4' }): which files to download, and which
   * of those in the folder to load. Default: the best for gradients of acceptable size.
   */
  readonly dtype?: DtypeChoice | undefined;
}

/**
 * Loads a model, so that the first question about it is quick.
 * @param model an embedded model's name ('pocket'), a folder in the Hugging Face ONNX layout, or a name on the Hub ('org/name'), which
 *   is downloaded where the cache lacks it
 * @throws LensError where there is no such model, its files are incomplete or broken, or it cannot be downloaded
 */
export async function loadModel(model = defaultModel(), options: LoadModelOptions = {}): Promise<Model> {
  const { signal, onProgress, ...choice } = checked(LoadModelOptionsSchema, options, 'loadModel()');
  const params = checked(ModelSchema, { model }, 'loadModel()');
  const named = parseReference(params.model);
  const dtype = choice.dtype ?? named.dtype;
  const folder = isOnHub(named.model)
    ? await hubFolder(named.model, { ...choice, dtype, signal, onProgress })
    : named.model;
  params.model = referenceText(folder, dtype);
  const { info, provenance } = await defaultEngine().call('describe', params, { signal, onProgress });
  return { ...info, provenance };
}
