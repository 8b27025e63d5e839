import { statSync } from 'node:fs';
import path from 'node:path';
import { LensError } from '../errors.ts';
import { parseDtype } from '../hub/dtype.ts';
import type { DtypeChoice } from '../hub/dtype.ts';
import { GRAPHS } from './files.ts';

/** A model by name or folder, and the data types of its graphs where they are chosen. */
export interface ModelReference {
  readonly model: string;
  readonly dtype?: DtypeChoice;
}

/**
 * A model as text, as options and engine requests carry it: 'folder', 'folder#q4' or
 * 'folder#vision_encoder=fp16,decoder_model_merged=q4'.
 */
export function referenceText(model: string, dtype: DtypeChoice | undefined): string {
  if (dtype === undefined || typeof dtype === 'string') return dtype === undefined ? model : `${model}#${dtype}`;
  const graphs = GRAPHS.filter((graph) => dtype[graph] !== undefined);
  return graphs.length === 0 ? model : `${model}#${graphs.map((graph) => `${graph}=${dtype[graph]}`).join()}`;
}

/**
 * What `referenceText` wrote. A folder whose own name has such an ending is that folder.
 * @throws LensError for a data type or a graph that does not exist
 */
export function parseReference(text: string): ModelReference {
  const at = text.lastIndexOf('#');
  if (at < 0 || statSync(path.resolve(text), { throwIfNoEntry: false })?.isDirectory()) return { model: text };
  const [model, dtype] = [text.slice(0, at), text.slice(at + 1)];
  if (model === '')
    throw new LensError(`"${text}" names no model`, 'Write the model before the #, for instance folder#q4');
  return { model, dtype: parseDtype(dtype) };
}
