import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../kernel/image/random.ts';
import { modelFolder, readModelFiles } from '../../kernel/model/files.ts';
import { decoderFeeds } from '../../kernel/model/generate.ts';
import { cacheSizes, emptyCacheDims } from '../../kernel/model/empty-cache.ts';
import { lastLogitsOnly } from '../../kernel/model/last-logits.ts';
import { float32, floats, Session } from '../../kernel/model/session.ts';
import { readGraph, serialise, weightsFolder } from '../../kernel/onnx/index.ts';
import { relativeError } from './relative-error.ts';

const LENGTH = 7;

/** Decoders with a plain product at the end, with a softcap after it, and with packed 4-bit weights. */
const MODELS = ['llava', 'paligemma', 'gemma3', 'llava_q4', 'qwen2_vl'];

describe('logits of the last position only', () => {
  for (const name of MODELS) {
    it(`${name}: are the last row of all`, async () => {
      const folder = modelFolder(fileURLToPath(new URL(`../reference/${name}`, import.meta.url)));
      const { graphs, config } = await readModelFiles(folder);
      const file = graphs.decoder_model_merged;
      const graph = readGraph(file);
      assert.ok(lastLogitsOnly(graph));
      const dataFolder = weightsFolder(graph)!;
      const [whole, last] = [
        await Session.open(file),
        await Session.open(serialise(graph, dataFolder), { dataFolder }),
      ];
      const width = Number(whole.inputs.get('inputs_embeds')!.shape.at(-1));
      const random = seededRandom(4);
      const counted = Array.from({ length: LENGTH }, (_, i) => i);
      const axes = whole.inputs.get('position_ids')?.shape.length === 3 ? [counted, counted, counted] : [counted];
      const cache = [...whole.inputs]
        .filter(([input]) => input.startsWith('past_key_values.'))
        .map(([input, { shape }]) => [
          input,
          float32(new Float32Array(0), emptyCacheDims(shape, 1, cacheSizes(config))),
        ]);
      const feeds = decoderFeeds(whole, {
        ...{
          input: Float32Array.from({ length: LENGTH * width }, () => random.normal()),
          length: LENGTH,
          past: 0,
          axes,
        },
        tokenInputs: { token_type_ids: { prompt: counted.map(() => 0), answer: 0 } },
        ...{ logits: 0, cache: Object.fromEntries(cache) },
      });
      const [all, one] = [await whole.run(feeds), await last.run(feeds)];
      const vocabulary = all.logits!.dims.at(-1)!;
      assert.deepEqual(one.logits!.dims, [1, 1, vocabulary]);
      assert.ok(relativeError(floats(one, 'logits'), floats(all, 'logits').slice(-vocabulary)) < 1e-4);
      assert.deepEqual(Object.keys(one).sort(), Object.keys(all).sort());
      await Promise.all([whole.release(), last.release()]);
    });
  }

  it('are not asked of a graph whose end is unknown', async () => {
    const { graphs } = await readModelFiles(modelFolder('pocket'));
    assert.equal(lastLogitsOnly(readGraph(graphs.vision_encoder!), 'image_features_of_another_name'), false);
  });
});
