import path from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { LRUCache } from 'lru-cache';
import { LensError } from '../errors.ts';
import type { Pixels } from '../image/resample.ts';
import { addInput, Builder, Graph, serialise } from '../onnx/index.ts';
import { float32, floats, Session } from './session.ts';
import type { Tensors } from './session.ts';
import { arranged, assembled, featuresOutput, finished, pixelDims } from './vision-graph.ts';
import { planKey } from './vision-plan.ts';
import type { FixedTensor, ViewStack, VisionPlan } from './vision-plan.ts';

/** How many rearranging graphs are kept. */
const KEPT = 8;

/** Runs a model's encoders as they are in its files: from a picture to the feature rows. */
export class VisionRunner {
  readonly #sessions: Readonly<Record<string, Session>>;
  readonly #files: Readonly<Record<string, string>>;
  /** Small graphs of our own before and after the encoders: the same nodes as in the score graph. */
  readonly #around = new LRUCache<string, Promise<Session>>({
    max: KEPT,
    dispose: (session) => void session.then((opened) => opened.release()).catch(() => undefined),
  });

  /** @param files of the sessions' graphs, for messages */
  constructor(sessions: Readonly<Record<string, Session>>, files: Readonly<Record<string, string>>) {
    this.#sessions = sessions;
    this.#files = files;
  }

  /** @returns [plan.rows, width] */
  async features(plan: VisionPlan, picture: Pixels): Promise<Float32Array> {
    const parts: { name: string; rows: Tensor }[] = [];
    for (const stack of plan.stacks) {
      const feeds = await this.feeds(plan, stack, picture);
      const rows = stack.views.length * stack.rows * stack.cols;
      parts.push({ name: stack.name, rows: await this.#run(stack.graph, feeds, rows) });
    }
    const fusion = plan.fusion;
    const features =
      fusion === undefined
        ? parts.map(({ rows }) => rows)
        : [
            await this.#run(
              fusion.graph,
              Object.fromEntries(
                Object.entries(fusion.inputs).map(([input, stack]) => [
                  input,
                  parts.find(({ name }) => name === stack)!.rows,
                ]),
              ),
              undefined,
            ),
          ];
    return this.#assembled(plan, features);
  }

  /** What an encoder is given for a picture. */
  async feeds(plan: VisionPlan, stack: ViewStack, picture: Pixels): Promise<Tensors> {
    const pixels = float32(stack.render(picture), pixelDims(stack, 1));
    const feeds: Record<string, Tensor> = { [stack.input]: await this.#arranged(plan, stack, pixels) };
    const session = this.#sessions[stack.graph]!;
    for (const [input, tensor] of Object.entries(stack.constants ?? {})) {
      if (session.inputs.has(input)) feeds[input] = fixed(tensor);
    }
    return feeds;
  }

  release(): void {
    this.#around.clear();
  }

  /** Features [1, rows, width]. */
  async #run(graph: string, feeds: Tensors, rows: number | undefined): Promise<Tensor> {
    const session = this.#sessions[graph]!;
    const name = featuresOutput([...session.outputs.keys()]);
    const results = await session.run(feeds, [name]);
    const values = floats(results, name);
    const width = results[name]!.dims.at(-1)!;
    const found = values.length / width;
    if (rows !== undefined && found !== rows) {
      throw new LensError(
        `${path.basename(this.#files[graph]!)} gives ${found} image features where the configuration says ${rows}`,
        'The files must be of the same model',
      );
    }
    return float32(values, [1, found, width]);
  }

  async #arranged(plan: VisionPlan, stack: ViewStack, pixels: Tensor): Promise<Tensor> {
    const { layout } = stack;
    if (layout === 'tiles') return pixels;
    if (layout === 'pictures') return float32(pixels.data as Float32Array, pixels.dims.slice(1));
    const session = await this.#small(`${planKey(plan)} ${stack.name}`, [pixels], (b, [name]) =>
      arranged(b, name!, layout),
    );
    return (await session.run({ '0': pixels })).result!;
  }

  async #assembled(plan: VisionPlan, features: readonly Tensor[]): Promise<Float32Array> {
    if (plan.assemble === undefined && features.length === 1) return features[0]!.data as Float32Array;
    const session = await this.#small(planKey(plan), features, (b, names) => assembled(b, plan, names));
    return floats(await session.run(Object.fromEntries(features.map((value, i) => [`${i}`, value]))), 'result');
  }

  /** A session of a few nodes with inputs '0', '1', … like the given tensors, and the output 'result'. */
  #small(
    key: string,
    inputs: readonly Tensor[],
    write: (b: Builder, names: readonly string[]) => string,
  ): Promise<Session> {
    const shapes = inputs.map(({ dims }) => dims.join('×')).join();
    let session = this.#around.get(`${key} ${shapes}`);
    if (session === undefined) {
      const graph = new Graph();
      graph.opsets.set('', 18);
      const b = new Builder(graph, 'vision');
      const names = inputs.map(({ dims }, i) => addInput(graph, `${i}`, 'float32', dims));
      const output = b.op('Identity', [write(b, names)], {}, { as: 'result' });
      session = Session.open(serialise(finished(graph, output)), { label: 'the views’ arrangement' });
      this.#around.set(`${key} ${shapes}`, session);
    }
    return session;
  }
}

/** A fixed tensor for one picture. */
function fixed({ dtype, dims, values }: FixedTensor): Tensor {
  const make = TENSORS[dtype];
  if (make === undefined) throw new Error(`no tensors of ${dtype} are made here`);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return make(size, values, dims);
}

type Make = (size: number, values: FixedTensor['values'], dims: readonly number[]) => Tensor;

/** Masks of large pictures have millions of elements: one value fills the typed array at once. */
const TENSORS: Readonly<Record<string, Make>> = {
  float32: (size, values, dims) => new Tensor('float32', filled(new Float32Array(size), values), dims),
  int32: (size, values, dims) => new Tensor('int32', filled(new Int32Array(size), values), dims),
  bool: (size, values, dims) => new Tensor('bool', filled(new Uint8Array(size), values), dims),
  int64: (size, values, dims) => {
    const data = new BigInt64Array(size);
    if (typeof values === 'number') data.fill(BigInt(values));
    else data.set(values.map(BigInt));
    return new Tensor('int64', data, dims);
  },
};

function filled<T extends Float32Array | Int32Array | Uint8Array>(data: T, values: FixedTensor['values']): T {
  if (typeof values === 'number') data.fill(values);
  else data.set(values);
  return data;
}
