import assert from 'node:assert/strict';
import { compare, explain, loadModel, selectTokens } from '../../kernel/index.ts';
import type { CompareOptions, ExplainOptions } from '../../kernel/index.ts';
import { LensError } from '../../kernel/errors.ts';
import { didYouMean, nearest } from '../../kernel/nearest.ts';

const GOOD = { image: 'dog.png', question: 'Where is the dog?' };

/** Wrong options on purpose. */
const ask = (options: object) => explain(options as ExplainOptions);

/** That a call rejects with an error for people whose message has all these parts. */
async function refused(call: Promise<unknown>, ...parts: readonly RegExp[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof LensError, `${error}`);
    for (const part of parts) assert.match(error.message, part);
    return true;
  });
}

describe('options are refused before anything is loaded', () => {
  it('an unknown option: its name, the nearest known one and the list', () =>
    refused(
      ask({ ...GOOD, treshold: 2 }),
      /explain\(\) has no option "treshold"/,
      /Did you mean "threshold"\?/,
      /Known options: .*question.*method.*perToken/,
    ));

  it('an unknown option that resembles none: the list alone', () =>
    refused(ask({ ...GOOD, zzzzzzzzzzzz: 1 }), /no option "zzzzzzzzzzzz"\. Known options: /));

  it('an option of explain() given to selectTokens()', () =>
    refused(selectTokens({ ...GOOD, perToken: true } as never), /selectTokens\(\) has no option "perToken"/));

  it('a missing question and a missing image', async () => {
    await refused(ask({ image: 'dog.png' }), /needs the option "question"/);
    await refused(ask({ question: 'What?' }), /needs the option "image".*path, a URL, a Buffer or ImageData/);
  });

  it('an empty question', async () => {
    await refused(ask({ ...GOOD, question: '' }), /"question" cannot be ""\. .*question is empty/);
    await refused(ask({ ...GOOD, question: ' \n' }), /question is empty/);
  });

  it('an empty answer', () => refused(ask({ ...GOOD, answer: '' }), /"answer" cannot be ""/));

  it('an unknown method: the nearest one and the list', () =>
    refused(
      ask({ ...GOOD, method: 'igos' }),
      /no method "igos"/,
      /Did you mean "igos\+"\?/,
      /Known methods: lens, igos\+, igos\+\+, integrated-gradients, .*grad-cam, .*superpixel-search/,
    ));

  it('an unknown preset, by either way of naming it', async () => {
    await refused(ask({ ...GOOD, method: 'igos+', preset: 'papr' }), /igos\+ has no preset "papr".*"paper"/);
    await refused(
      ask({ ...GOOD, preset: 'paper' }),
      /lens has no preset "paper"\. These methods have it: igos\+, igos\+\+/,
    );
    await refused(ask({ ...GOOD, method: { name: 'igos++', preset: 'papr' } }), /igos\+\+ has no preset "papr"/);
  });

  it('an unknown option of a method', () =>
    refused(
      ask({ ...GOOD, method: { name: 'igos+', steps: 3 } }),
      /method igos\+ has no option "steps"/,
      /integrationSteps/,
    ));

  it('a method that is no name', () =>
    refused(ask({ ...GOOD, method: 3 }), /"method" cannot be 3/, /name of a method/));

  it('an unknown baseline: the value and what is allowed', () =>
    refused(
      ask({ ...GOOD, baseline: 'white' }),
      /"baseline" cannot be "white"/,
      /Allowed: "blur", "black", "mean", "noise", "auto"/,
    ));

  it('a value of the wrong type', async () => {
    await refused(ask({ ...GOOD, threshold: 'high' }), /"threshold" cannot be "high"/, /a number/);
    await refused(ask({ ...GOOD, question: 7 }), /"question" cannot be 7/, /a string/);
    await refused(ask({ ...GOOD, image: 7 }), /"image" cannot be 7/, /path/);
    await refused(ask({ ...GOOD, perToken: 'all' }), /"perToken" cannot be "all"/, /true, false/);
    await refused(ask({ ...GOOD, signal: {} }), /"signal" cannot be an? Object/i, /AbortSignal/);
    await refused(ask({ ...GOOD, onProgress: 'yes' }), /"onProgress" cannot be "yes"/, /function/);
  });

  it('a value out of range', async () => {
    await refused(ask({ ...GOOD, maxNewTokens: 0 }), /"maxNewTokens" cannot be 0.*at least 1/);
    await refused(ask({ ...GOOD, seed: 1.5 }), /"seed" cannot be 1.5.*whole number/);
    await refused(ask({ ...GOOD, threshold: NaN }), /"threshold" cannot be NaN/);
  });

  it('tokens that are neither a name nor a list', async () => {
    await refused(ask({ ...GOOD, tokens: 'some' }), /"tokens" cannot be "some".*"visual", "all"/);
    await refused(ask({ ...GOOD, tokens: [] }), /"tokens" cannot be a list of 0/);
    await refused(ask({ ...GOOD, tokens: [-1] }), /"tokens.0" cannot be -1. It must be at least 0/);
  });

  it('metrics that name no baseline', () =>
    refused(ask({ ...GOOD, metrics: ['white'] }), /"metrics" cannot be/, /blur, black/));

  it('no options at all', async () => {
    await refused(ask(undefined as never), /explain\(\) takes an object of options, not undefined/);
    await refused(ask('dog.png' as never), /takes an object of options, not "dog\.png"/);
  });

  it('options of loadModel()', async () => {
    await refused(loadModel('pocket', { sginal: 1 } as never), /loadModel\(\) has no option "sginal".*"signal"/);
    await refused(loadModel(7 as never), /"model" cannot be 7/);
    await refused(loadModel(''), /"model" cannot be ""/);
  });
});

describe('compare() compares along one axis', () => {
  const side = (options: object) => compare(options as CompareOptions);

  it('needs a list', () =>
    refused(side(GOOD), /needs a list for one of: image, question, answer, method, model/, /For instance/));

  it('takes one list only', () =>
    refused(
      side({ ...GOOD, question: ['a?', 'b?'], answer: ['a', 'b'] }),
      /one axis, but "question" and "answer" are both lists/,
    ));

  it('needs two values', () => refused(side({ ...GOOD, question: ['a?'] }), /at least two values of "question"/));

  it('checks the options as explain() does', () =>
    refused(side({ ...GOOD, question: ['a?', 'b?'], treshold: 2 }), /compare\(\) has no option "treshold"/));

  it('needs an object', () => refused(side(null as never), /needs an object of options/));
});

describe('the nearest name', () => {
  it('forgives letters and case', () => {
    assert.equal(nearest('IGOS', ['igos+', 'grad-cam']), 'igos+');
    assert.equal(nearest('gradcam', ['igos+', 'grad-cam']), 'grad-cam');
  });

  it('does not guess wildly', () => {
    assert.equal(nearest('occlusion', ['igos+', 'grad-cam']), undefined);
    assert.equal(didYouMean('occlusion', ['igos+', 'grad-cam'], 'methods'), 'Known methods: igos+, grad-cam');
  });
});
