import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HubSettings } from '../../kernel/hub/settings.ts';
import type { Files, HubServer } from './hub-server.ts';

export const ID = 'tiny-org/Tiny-VLM_1.0';
export const DECODER = 'onnx/decoder_model_merged.onnx';
export const WEIGHTS = 'onnx/vision_encoder.onnx_data';

/** A repository with the names of a model's files: what is in the graphs is noise, which no download looks into. */
export function smallModel(): Files {
  const encoder = Buffer.concat([
    randomBytes(20_000),
    // TensorProto.external_data: key "location", value "vision_encoder.onnx_data".
    Buffer.from('\n\x08location\x12\x18vision_encoder.onnx_data', 'latin1'),
    randomBytes(10),
  ]);
  return {
    'README.md': Buffer.from('# not downloaded'),
    'config.json': Buffer.from(
      JSON.stringify({
        model_type: 'llava',
        text_config: { hidden_size: 64, vocab_size: 999 },
        vision_config: { image_size: 96 },
      }),
    ),
    'generation_config.json': Buffer.from('{}'),
    'model.safetensors': randomBytes(150_000),
    'preprocessor_config.json': Buffer.from('{"size": 96}'),
    'tokenizer.json': Buffer.from('{"model": {}}'),
    'tokenizer_config.json': Buffer.from('{"pad_token": null}'),
    'onnx/decoder_model_merged.onnx': randomBytes(1_000_000),
    'onnx/decoder_model_merged_q4.onnx': randomBytes(200_000),
    'onnx/decoder_model_merged_quantized.onnx': randomBytes(110_000),
    'onnx/embed_tokens.onnx': randomBytes(120_000),
    'onnx/embed_tokens_fp16.onnx': randomBytes(110_000),
    'onnx/embed_tokens_q4.onnx': randomBytes(105_000),
    'onnx/vision_encoder.onnx': encoder,
    'onnx/vision_encoder.onnx_data': randomBytes(300_000),
    'onnx/vision_encoder_fp16.onnx': randomBytes(150_000),
    'onnx/vision_encoder_q4.onnx': randomBytes(140_000),
  };
}

/** What a pull of the small model brings where no data type is asked for. */
export const BY_DEFAULT = [
  'config.json',
  'generation_config.json',
  'onnx/decoder_model_merged.onnx',
  'onnx/embed_tokens.onnx',
  'onnx/vision_encoder.onnx',
  'onnx/vision_encoder.onnx_data',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
];

/** Settings with an empty cache of their own, and little patience. */
export function settingsFor(hub: Pick<HubServer, 'endpoint'>, more: Partial<HubSettings> = {}): HubSettings {
  const cache = realpathSync(mkdtempSync(path.join(tmpdir(), 'lvlm-lens-hub-')));
  return {
    endpoint: hub.endpoint,
    cache,
    token: undefined,
    offline: false,
    silenceMs: 1000,
    retryMs: 2,
    copies: false,
    ...more,
  };
}

/** Paths of all files below a folder, sorted, with forward slashes. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

/** Those of `files` that a snapshot does not hold byte for byte. */
export function wrongFiles(snapshot: string, files: Files, names: readonly string[]): string[] {
  return names.filter((name) => !readFileSync(path.join(snapshot, name)).equals(files[name]!));
}
