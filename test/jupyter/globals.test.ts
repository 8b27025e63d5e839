import assert from 'node:assert/strict';
import path from 'node:path';
import { MIME_TYPE } from '../../kernel/document.ts';
import { shutdown } from '../../kernel/index.ts';
import type { CellEvent } from '../../kernel/jupyter/events.ts';
import { createSession, type CellReply, type Session } from '../../kernel/jupyter/session.ts';
import { temporaryFolder } from './tiny-library.ts';

const IMAGES = path.resolve(import.meta.dirname, '../../notebooks/images');

describe('the public API in cells', function () {
  this.timeout(180_000);
  let session: Session;

  before(async () => {
    // Far from this project: no node_modules above it has our package.
    session = await createSession({ cwd: temporaryFolder('api') });
    await run(`const image = ${JSON.stringify(path.join(IMAGES, 'banana.png'))}`);
  });

  after(async () => {
    session.close();
    await shutdown();
  });

  async function run(
    code: string,
    watch?: (event: CellEvent) => void,
  ): Promise<{ reply: CellReply; events: CellEvent[] }> {
    const events: CellEvent[] = [];
    const reply = await session.execute(code, (event) => {
      events.push(event);
      watch?.(event);
    });
    return { reply, events };
  }

  it('is in scope without import, typed: functions, result classes and types', async () => {
    const { reply } = await run(
      'const options: ExplainOptions = { image, question: "What is there?" };\n' +
        'const none: readonly AnswerToken[] = [];\n' +
        '[explain, selectTokens, compare, loadModel, display].every((call) => typeof call === "function")',
    );
    assert.equal(reply.status, 'ok', JSON.stringify(reply));
    const wrong = await run('explain({ image, qestion: "typo" })');
    assert.equal(wrong.reply.status === 'error' && wrong.reply.ename, 'TypeScriptError');
    assert.match(JSON.stringify(wrong.reply), /Did you mean to write 'question'\?/);
  });

  it('completes options, their values, models, methods and what methods take; explains what is called', async () => {
    const at = async (code: string): Promise<string[]> => {
      const caret = code.indexOf('|');
      const { start, candidates } = await session.complete(code.replace('|', ''), caret);
      return candidates.map(({ text }) => code.slice(0, start).trimEnd().slice(-1) + text);
    };
    assert.ok((await at('explain({ image, thr|')).includes(',threshold'));
    assert.ok((await at("explain({ image, question: 'a', baseline: 'bl|' })")).includes("'blur"));
    assert.ok((await at("explain({ image, question: 'a', method: '|")).includes("'igos++"));
    assert.deepEqual(await at("explain({ image, question: 'a', method: { name: 'grad|' } })"), ["'grad-cam"]);
    assert.ok((await at("explain({ image, method: { name: 'igos+', iter| } })")).includes(',iterations'));
    assert.ok((await at("loadModel('poc|')")).includes("'pocket"));
    assert.ok((await at("explainDataset('questions.csv', { fil|")).includes('{file'));
    assert.ok((await at("explainDataset('questions.csv', { model: ['|'] })")).includes("'pocket"));
    assert.ok(
      (await at('evaluate(await explain({ image, question: "a" }), { tru|')).some((text) => /truth/.test(text)),
    );
    assert.ok((await at("compare({ image, models: ['pocket', '|'] })")).includes("'pocket"));
    const call = session.inspect('const e = await explain({ image })', 33);
    assert.match(call!.signature, /explain\(options: ExplainOptions\)/);
    assert.match(call!.documentation, /Where does the model look/);
  });

  it('displays its results with their whole MIME bundle, and types carry over to the next cell', async () => {
    const { events } = await run(
      'const selection = await selectTokens({ image, question: "What is there?" }); selection',
    );
    const result = events.find((event) => event.type === 'execute_result');
    assert.ok(result, JSON.stringify(events));
    assert.deepEqual(Object.keys(result.data).sort(), [MIME_TYPE, 'image/png', 'text/markdown', 'text/plain'].sort());
    assert.equal(typeof result.data[MIME_TYPE], 'object');
    const { reply } = await run('const sum: number = selection.tokens.reduce((total, { llr }) => total + llr, 0); sum');
    assert.equal(reply.status, 'ok', JSON.stringify(reply));
  });

  it("shows an error's message and the line of the cell, without a stack", async () => {
    const { reply } = await run('\nawait selectTokens({ image: "none.png", question: "What?" })');
    assert.ok(reply.status === 'error');
    assert.equal(reply.ename, 'LensError');
    const [title, where, ...rest] = reply.traceback;
    assert.match(title!, /^LensError: cannot read the image ".*none\.png": the file does not exist/);
    assert.match(where!, /at cell \d+, line 2, column 7/);
    assert.ok(!rest.some((line) => /^\s+at /.test(line)), rest.join('\n'));
  });

  it('reports progress and the map so far while it works, takes it away at the end, and is interrupted by the session', async () => {
    let interrupted = false;
    const begun = performance.now();
    const { reply, events } = await run(
      'await explain({ image, question: "What is there?", tokens: "all", method: { name: "igos++", preset: "paper", iterations: 1000 } })',
      (event) => {
        if (event.type !== 'progress' || event.png === undefined || interrupted) return;
        interrupted = true;
        session.interrupt();
      },
    );
    assert.ok(interrupted, `no progress was shown in ${performance.now() - begun} ms: ${JSON.stringify(reply)}`);
    assert.equal(reply.status === 'error' && reply.interrupted, true);
    const texts = events.flatMap((event) => (event.type === 'progress' ? [event] : []));
    assert.match(texts[0]!.text!, /\|[█▏▎▍▌▋▊▉ ]{20}\| \d+\/\d+/);
    assert.match(texts.findLast(({ png }) => png !== undefined)!.png!, /^iVBORw0KGgo/);
    await run('await new Promise((resolve) => setTimeout(resolve, 100))');
    const last = events.findLast((event) => event.type === 'progress');
    assert.equal(last!.text, undefined, 'the progress line is taken away');
    assert.equal(
      (await run('(await selectTokens({ image, question: "What is there?" })).question')).reply.status,
      'ok',
    );
  });
});
