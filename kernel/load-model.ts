import { LoadModelOptionsSchema, ModelSchema } from './call-options.ts';
import type { CallOptions } from './call-options.ts';
import { defaultEngine } from './default-engine.ts';
import type { ModelInfo, ModelProvenance } from './model/loaded-model.ts';
import { checked } from './options.ts';

/** A loaded model, as plain data; the option `model` of every call takes it. */
export interface Model extends ModelInfo {
  readonly provenance: ModelProvenance;
}

/**
 * Loads a model, so that the first question about it is quick.
 * @param model an embedded model's name ('pocket') or a folder in the Hugging Face ONNX layout
 * @throws LensError where there is no such model, or its files are incomplete or broken
 */
export async function loadModel(model = 'pocket', options: CallOptions = {}): Promise<Model> {
  const { signal, onProgress } = checked(LoadModelOptionsSchema, options, 'loadModel()');
  const params = checked(ModelSchema, { model }, 'loadModel()');
  const { info, provenance } = await defaultEngine().call('describe', params, { signal, onProgress });
  return { ...info, provenance };
}
