import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { filledMask } from '../kernel/attribution/mask.ts';
import { decodeImage } from '../kernel/image/decode.ts';
import { seededRandom } from '../kernel/image/random.ts';
import { openModel } from '../kernel/model/open-model.ts';
import type { FullsizeRequest } from './fullsize.ts';

/**
 * Our side of the full-size bench, in a process of its own so that its peak memory is its own. Prints a line of JSON once it is warm; then,
 * for each line 'forward' or 'gradient' that it reads, the seconds which that took; and at the end the most memory that it had, in MB.
 */
const request = JSON.parse(await readFile(process.argv[2]!, 'utf8')) as FullsizeRequest;
const { side } = request;

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const random = seededRandom(1);
const data = Uint8Array.from({ length: side * side * 3 }, () => random.uniform() * 256);
const picture = await decodeImage({ data, width: side, height: side });

let model!: Awaited<ReturnType<typeof openModel>>;
const loadSeconds = await seconds(async () => (model = await openModel(request.folder)));
let answer!: Awaited<ReturnType<typeof model.answer>>;
const answerSeconds = await seconds(
  async () => (answer = await model.answer(picture, request.question, { maxNewTokens: request.answerTokens })),
);
const answerIds = answer.tokens.map(({ id }) => id);
const scorer = await model.scorer(picture, request.question, answerIds);
const mask = {
  ...filledMask(request.mask, request.mask, 0),
  data: Float32Array.from({ length: request.mask ** 2 }, () => random.uniform()),
};
const weights = new Float32Array(scorer.tokenCount).fill(1);
const forward = () => scorer.logp([{ mask, baseline: 'black' }]);
const gradient = () => scorer.gradient([{ mask, baseline: 'black', weights }]);
const firstForwardSeconds = await seconds(forward);
const firstGradientSeconds = await seconds(gradient);
const say = (value: unknown) => console.log(JSON.stringify(value));
say({ loadSeconds, answerSeconds, firstForwardSeconds, firstGradientSeconds, answerIds });
const work = { forward, gradient };
for await (const line of createInterface({ input: process.stdin })) {
  say(await seconds(work[line.trim() as keyof typeof work]));
}
say(process.resourceUsage().maxRSS / 1024);
await model.release();
