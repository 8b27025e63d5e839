import assert from 'node:assert/strict';
import { ExplainOptionsSchema, ModelSchema } from '../../kernel/call-options.ts';
import { LensError } from '../../kernel/errors.ts';
import { executionProviders, Session } from '../../kernel/model/session.ts';

/** Runs `work` with variables of the environment changed; `undefined` takes one away. */
async function withEnvironment(values: Readonly<Record<string, string>>, work: () => unknown): Promise<void> {
  const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]));
  Object.assign(process.env, values);
  try {
    await work();
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}

describe('defaults from the environment', () => {
  const question = { image: 'a.png', question: 'What?' };

  it('name the model and the method of calls that name none', async () => {
    await withEnvironment({ LVLM_LENS_MODEL: 'org/name', LVLM_LENS_METHOD: 'grad-cam' }, () => {
      const { model, method } = ExplainOptionsSchema.parse(question);
      assert.equal(model, 'org/name');
      assert.deepEqual(method, { name: 'grad-cam' });
      assert.equal(ModelSchema.parse({}).model, 'org/name');
      const given = ExplainOptionsSchema.parse({ ...question, model: 'pocket', method: 'igos+' });
      assert.equal(given.model, 'pocket');
      assert.deepEqual(given.method, { name: 'igos+' });
    });
    const { model, method } = ExplainOptionsSchema.parse(question);
    assert.equal(model, 'pocket');
    assert.deepEqual(method, { name: 'lens' });
  });

  it('say where graphs run, with the CPU for the rest', async () => {
    assert.deepEqual(executionProviders(), ['cpu']);
    await withEnvironment({ LVLM_LENS_PROVIDER: 'webgpu' }, () => {
      assert.deepEqual(executionProviders(), ['webgpu', 'cpu']);
    });
  });

  it('are refused where ONNX Runtime has no such provider, with those that it has', async () => {
    await withEnvironment({ LVLM_LENS_PROVIDER: 'abacus' }, async () => {
      await assert.rejects(Session.open('models/pocket/onnx/embed_tokens.onnx'), (error) => {
        assert.ok(error instanceof LensError);
        assert.match(error.message, /"abacus".*It has: .*cpu.*lvlmLens\.executionProvider/);
        return true;
      });
    });
  });
});
