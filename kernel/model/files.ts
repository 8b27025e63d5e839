import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { LensError } from '../errors.ts';
import { chosenGraphs, graphFiles } from '../hub/dtype.ts';
import type { Dtype, DtypeChoice, GraphFiles, SizedFile } from '../hub/dtype.ts';
import {
  ChatTemplateJson,
  GenerationConfig,
  ModelConfig,
  PreprocessorConfig,
  ProcessorConfig,
  TokenizerConfig,
  TokenizerJson,
} from './config.ts';
import { embeddedFolder, embeddedModels } from './embedded.ts';
import { familyOf } from './families.ts';

/** The graphs of an LVLM in the Hugging Face ONNX layout, by the stems of their files. */
export const GRAPHS = ['vision_encoder', 'embed_tokens', 'decoder_model_merged'] as const;
export type GraphName = (typeof GRAPHS)[number];
export const [ENCODER, EMBED, DECODER] = GRAPHS;

/** A model's folder, read and checked; the graphs themselves are only located. */
export interface ModelFiles {
  readonly folder: string;
  readonly config: ModelConfig;
  readonly generation: GenerationConfig;
  readonly preprocessor: PreprocessorConfig;
  /** Empty where there is no processor_config.json. */
  readonly processor: ProcessorConfig;
  readonly tokenizerConfig: TokenizerConfig;
  readonly tokenizer: object;
  /** Jinja source. */
  readonly chatTemplate: string;
  /** Stems of the encoders' files. */
  readonly encoders: readonly string[];
  /** Absolute paths by the stems of the files; more than these three where a model has several encoders. */
  readonly graphs: Readonly<Record<GraphName, string> & Record<string, string>>;
  /** Data types of these files. */
  readonly dtypes: Readonly<Record<GraphName, Dtype> & Record<string, Dtype>>;
  /** Every file that was read, relative to the folder, with forward slashes. */
  readonly names: readonly string[];
}

/**
 * Where a model lies.
 * @param model 'pocket' or another embedded model, or a folder
 * @throws LensError naming the models that there are
 */
export function modelFolder(model: string): string {
  const folder = embeddedFolder(model) ?? path.resolve(model);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  const names = embeddedModels().map((name) => `'${name}'`);
  throw new LensError(
    `there is no model '${model}': it is neither an embedded model nor a folder`,
    `Embedded: ${names.join(', ') || 'none'}. Or give a folder that holds config.json, tokenizer.json and onnx/`,
  );
}

/**
 * Reads and checks everything of a model but its weights. Throws `LensError` for what is missing or broken.
 * @param dtype one data type for all graphs, or one for each; by default the best for gradients of acceptable size
 */
export async function readModelFiles(folder: string, dtype?: DtypeChoice): Promise<ModelFiles> {
  const names: string[] = [];
  const text = async (name: string) => {
    const content = await readText(path.join(folder, name));
    if (content !== undefined) names.push(name);
    return content;
  };
  const optional = async <T>(name: string, schema: z.ZodType<T>) => {
    const content = await text(name);
    return content === undefined ? undefined : parseJson(path.join(folder, name), content, schema);
  };
  const required = async <T>(name: string, schema: z.ZodType<T>) => {
    const value = await optional(name, schema);
    if (value !== undefined) return value;
    throw new LensError(`the model in "${folder}" has no ${name}`, `Download ${name} of the model too`);
  };
  const config = await required('config.json', ModelConfig);
  const family = familyOf(config);
  const tokenizer = await required('tokenizer.json', TokenizerJson);
  const tokenizerConfig = await required('tokenizer_config.json', TokenizerConfig);
  const processor = (await optional('processor_config.json', ProcessorConfig)) ?? {};
  const preprocessor =
    (await optional('preprocessor_config.json', PreprocessorConfig)) ??
    processor.image_processor ??
    (await required('preprocessor_config.json', PreprocessorConfig));
  const generation = (await optional('generation_config.json', GenerationConfig)) ?? {};
  const chatTemplate =
    (await text('chat_template.jinja')) ??
    (await optional('chat_template.json', ChatTemplateJson))?.chat_template ??
    templateOf(tokenizerConfig) ??
    family.chatTemplate;
  if (chatTemplate === undefined) {
    throw new LensError(
      `the model in "${folder}" has no chat template`,
      'Add chat_template.jinja, or `chat_template` to tokenizer_config.json',
    );
  }
  const encoders = encodersOf(config);
  const chosen = graphFilesOf(folder, [...encoders, EMBED, DECODER], dtype);
  for (const { files } of chosen) names.push(...files.map(({ path: name }) => name));
  return {
    folder,
    config,
    generation,
    preprocessor,
    processor,
    tokenizerConfig,
    tokenizer,
    chatTemplate,
    encoders,
    graphs: byGraph(chosen, ({ files: [main] }) => path.join(folder, main!.path)),
    dtypes: byGraph(chosen, ({ dtype: found }) => found),
    names,
  };
}

function encodersOf(config: ModelConfig): readonly string[] {
  return familyOf(config).encoders?.(config) ?? [ENCODER];
}

/**
 * The graphs' files that `readModelFiles` would choose, without reading more of the model than config.json.
 * @throws LensError as `readModelFiles`
 */
export async function modelGraphFiles(folder: string, dtype?: DtypeChoice): Promise<GraphFiles<SizedFile, string>[]> {
  const file = path.join(folder, 'config.json');
  const content = await readText(file);
  const graphs =
    content === undefined ? GRAPHS : [...encodersOf(parseJson(file, content, ModelConfig)), EMBED, DECODER];
  return graphFilesOf(folder, graphs, dtype);
}

/** The file of each graph, in the data types asked for or else in the best of those that are there. */
function graphFilesOf(
  folder: string,
  graphs: readonly string[],
  dtype: DtypeChoice | undefined,
): GraphFiles<SizedFile, string>[] {
  const onnx = path.join(folder, 'onnx');
  const names = existsSync(onnx) ? readdirSync(onnx) : [];
  const files = names.flatMap((name) => {
    const found = statSync(path.join(onnx, name), { throwIfNoEntry: false });
    return found?.isFile() ? [{ path: `onnx/${name}`, size: found.size }] : [];
  });
  const available = graphFiles(files, graphs);
  const missing = graphs.find((graph) => available.every((each) => each.graph !== graph));
  if (missing !== undefined) {
    throw new LensError(
      `the model in "${folder}" has no onnx/${missing}.onnx`,
      'Download the ONNX files of the model too',
    );
  }
  return chosenGraphs(available, dtype, `the model in "${folder}"`, graphs);
}

function byGraph<T>(
  chosen: readonly GraphFiles<SizedFile, string>[],
  value: (files: GraphFiles<SizedFile, string>) => T,
): Readonly<Record<GraphName, T> & Record<string, T>> {
  return Object.fromEntries(chosen.map((each) => [each.graph, value(each)])) as Record<GraphName, T>;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LensError(`cannot read "${file}": ${(cause as Error).message}`, undefined, { cause });
  }
}

function parseJson<T>(file: string, content: string, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (cause) {
    throw new LensError(`"${file}" is not JSON: ${(cause as Error).message}`, 'Download it again', { cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: at, message }) => `${at.join('.') || 'the file'}: ${message}`);
  throw new LensError(`"${file}" is not as expected: ${problems.join('; ')}`, 'Download it again');
}

function templateOf({ chat_template: template }: TokenizerConfig): string | undefined {
  if (typeof template === 'string') return template;
  return (template?.find(({ name }) => name === 'default') ?? template?.[0])?.template;
}
