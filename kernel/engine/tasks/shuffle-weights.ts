import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { modelFolder } from '../../model/files.ts';
import { parseReference, referenceText } from '../../model/reference.ts';
import { shuffleWeights } from '../../model/shuffled-weights.ts';
import { ModelParam } from '../params.ts';
import type { Task } from '../task.ts';

const ShuffleParams = z.strictObject({ model: ModelParam, seed: z.int().min(0) });

/** A temporary copy of a model with its weights shuffled. The caller deletes the folder. */
export const shuffledModel: Task<z.infer<typeof ShuffleParams>, { readonly folder: string; readonly model: string }> = {
  params: ShuffleParams,
  async run({ params: { model: name, seed }, onProgress }) {
    const { model, dtype } = parseReference(name);
    const folder = await mkdtemp(path.join(os.tmpdir(), 'lvlm-lens-shuffled-'));
    onProgress({ stage: 'shuffling the weights', step: 0, steps: 1 });
    try {
      await shuffleWeights(modelFolder(model), folder, { seed, dtype });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    onProgress({ stage: 'shuffling the weights', step: 1, steps: 1 });
    return { folder, model: referenceText(folder, dtype) };
  },
};
