import { readFile } from 'node:fs/promises';
import { median } from 'simple-statistics';
import { filledMask } from '../kernel/attribution/mask.ts';
import { decodeImage } from '../kernel/image/decode.ts';
import { seededRandom } from '../kernel/image/random.ts';
import { openModel } from '../kernel/model/open-model.ts';
import type { FullsizeRequest } from './fullsize.ts';

/** Our side of the full-size bench, in a process of its own so that its peak memory is its own: prints one line of JSON. */
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
// In turns, so that neither has the quieter machine.
const times: Record<'forward' | 'gradient', number[]> = { forward: [], gradient: [] };
for (let i = 0; i < request.runs; i++) {
  times.forward.push(await seconds(forward));
  times.gradient.push(await seconds(gradient));
}
const peakMB = process.resourceUsage().maxRSS / 1024;
console.log(
  JSON.stringify({
    loadSeconds,
    answerSeconds,
    firstForwardSeconds,
    forwardSeconds: median(times.forward),
    firstGradientSeconds,
    gradientSeconds: median(times.gradient),
    peakMB,
    answerIds,
  }),
);
await model.release();
