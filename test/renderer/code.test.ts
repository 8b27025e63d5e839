import assert from 'node:assert/strict';
import vm from 'node:vm';
import ts from 'typescript';
import { chosenMethod } from '../../kernel/attribution/methods.ts';
import { ExplainOptionsSchema } from '../../kernel/call-options.ts';
import type { LensDocument } from '../../kernel/document.ts';
import { compare, explain, selectTokens } from '../../kernel/index.ts';
import { explanationCode, reproduction } from '../../renderer/code.ts';
import { comparisonDocument, explanationDocument, hostileTextDocument } from './fixture.ts';

interface Called {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What the code calls, and with what: found by running it with functions that only write that down. */
function calledBy(code: string): Called {
  const called: Called[] = [];
  const script = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  });
  const note = (name: string) => (options: Called['options']) =>
    void called.push({ name, options: structuredClone(options) });
  const library = { explain: note('explain'), compare: note('compare'), selectTokens: note('selectTokens') };
  const context = { require: () => library, exports: {} };
  vm.runInNewContext(`(async () => { ${script.outputText} })()`, context);
  assert.equal(called.length, 1);
  return JSON.parse(JSON.stringify(called[0])) as Called;
}

const IMAGE = 'notebooks/images/cafe.png';

describe('the code that makes a result again', function () {
  this.timeout(120_000);

  it('makes the same explanation, map for map', async () => {
    const first = await explain({
      image: IMAGE,
      question: 'What is in the picture?',
      seed: 3,
      perToken: 1,
      metrics: ['black'],
    });
    const { name, options } = calledBy(reproduction(first.document));
    assert.equal(name, 'explain');
    const again = await explain({ ...(options as unknown as Parameters<typeof explain>[0]), image: IMAGE });
    assert.deepEqual(again.document.explanations[0]!.maps, first.document.explanations[0]!.maps);
    assert.deepEqual(again.document.explanations[0]!.curves, first.document.explanations[0]!.curves);
    assert.equal(options['image'], 'cafe.png');
    assert.equal(options['seed'], 3);
  });

  it('makes the same selection and the same comparison', async () => {
    const selected = await selectTokens({ image: IMAGE, question: 'What is in the picture?' });
    const selection = calledBy(reproduction(selected.document));
    assert.equal(selection.name, 'selectTokens');
    const again = await selectTokens({
      ...(selection.options as unknown as Parameters<typeof selectTokens>[0]),
      image: IMAGE,
    });
    assert.deepEqual(again.tokens, selected.tokens);

    const compared = await compare({
      image: IMAGE,
      question: ['What is in the picture?', 'What is the food of a cow?'],
      perToken: false,
      metrics: false,
    });
    const comparison = calledBy(reproduction(compared.document));
    assert.equal(comparison.name, 'compare');
    const repeated = await compare({
      ...(comparison.options as unknown as Parameters<typeof compare>[0]),
      image: IMAGE,
    });
    assert.deepEqual(
      repeated.document.explanations.map(({ maps }) => maps),
      compared.document.explanations.map(({ maps }) => maps),
    );
  });

  it('names every parameter of provenance that says how it was made', async () => {
    const lens = await explanationDocument();
    const { options } = calledBy(reproduction(lens));
    const { method, parameters, seed } = lens.explanations[0]!.provenance;
    const { baseline, ...ofMethod } = parameters;
    assert.deepEqual(options['method'], { name: method, ...ofMethod });
    assert.deepEqual([options['baseline'], options['seed'], options['threshold']], [baseline, seed, 1]);
  });

  it('a comparison of methods lists the methods', async () => {
    const { name, options } = calledBy(reproduction(await comparisonDocument()));
    assert.equal(name, 'compare');
    assert.deepEqual(
      (options['method'] as readonly { name: string }[]).map((method) => method.name),
      ['igos++', 'igos+', 'grad-cam'],
    );
  });

  it('passes the kernel’s own checks', async () => {
    const made = await explain({ image: IMAGE, question: 'What is in the picture?', metrics: false, perToken: false });
    const { options } = calledBy(explanationCode(made.document, made.document.explanations[0]!));
    const checked = ExplainOptionsSchema.parse({ ...options, image: IMAGE });
    assert.doesNotThrow(() => chosenMethod(checked.method));
  });

  it('hostile text stays text: nothing of it runs, and nothing breaks out of a string or a comment', async () => {
    const hostile = await hostileTextDocument();
    const evil = "');globalThis.owned=1;//\n\u2028`${globalThis.owned=1}` */ </script> \\' \"";
    const [one] = hostile.explanations;
    const lens: LensDocument = {
      ...hostile,
      images: [{ ...hostile.images[0]!, name: evil }],
      explanations: [
        {
          ...one!,
          question: evil,
          answer: { ...one!.answer, source: 'given' },
          model: { id: evil, type: evil },
          provenance: {
            ...one!.provenance,
            method: evil,
            imageHash: evil,
            versions: { [evil]: evil },
            parameters: { [evil]: evil, __proto__: 1, ['constructor']: evil },
          },
        },
      ],
    };
    const code = reproduction(lens);
    const { options } = calledBy(code);
    assert.equal(options['question'], evil);
    assert.equal(options['answer'], one!.answer.text);
    assert.equal((options['method'] as Record<string, unknown>)[evil], evil);
    assert.equal((globalThis as { owned?: unknown }).owned, undefined);
    assert.ok(!code.includes('</script'));
  });
});
