import assert from 'node:assert/strict';
import type { CellEvent } from '../../kernel/jupyter/events.ts';
import { createSession, type CellReply, type Session } from '../../kernel/jupyter/session.ts';
import { temporaryFolder, tinyLibrary, writeFiles } from './tiny-library.ts';

describe('session', () => {
  let session: Session;
  const folder = temporaryFolder('session');

  before(async function () {
    this.timeout(120_000);
    writeFiles(folder, {
      'side.ts':
        'export const side: number = 41;\nexport function fail(): never {\n  throw new Error("from side");\n}\n',
      'node_modules/esm-only/package.json': JSON.stringify({
        name: 'esm-only',
        type: 'module',
        exports: { types: './index.d.ts', import: './index.js' },
      }),
      'node_modules/esm-only/index.d.ts': 'declare const value: { answer: number };\nexport default value;\n',
      // Top-level await: require() cannot load it on any Node.
      'node_modules/esm-only/index.js': 'await null;\nexport default { answer: 42 };\n',
      'node_modules/common/package.json': JSON.stringify({ name: 'common', main: './index.js' }),
      'node_modules/common/index.d.ts': 'declare const common: { double(n: number): number };\nexport = common;\n',
      'node_modules/common/index.js': 'module.exports = { double: (n) => 2 * n };\n',
      'node_modules/dual/package.json': JSON.stringify({
        name: 'dual',
        exports: { types: './index.d.ts', import: './index.mjs', require: './index.cjs' },
      }),
      'node_modules/dual/index.d.ts':
        'export declare const form: string;\nexport declare const state: { count: number };\n',
      'node_modules/dual/index.mjs': 'export const form = "import";\nexport const state = { count: 0 };\n',
      'node_modules/dual/index.cjs': 'exports.form = "require";\nexports.state = { count: 0 };\n',
    });
    session = await createSession({ cwd: folder, library: tinyLibrary() });
  });

  after(() => {
    session.close();
  });

  async function run(code: string): Promise<{ reply: CellReply; events: CellEvent[] }> {
    const events: CellEvent[] = [];
    const reply = await session.execute(code, (event) => events.push(event));
    return { reply, events };
  }

  /** The text that a cell shows as its result. */
  async function result(code: string): Promise<unknown> {
    const { events } = await run(code);
    const error = events.find((event) => event.type === 'error');
    assert.equal(error, undefined, `the cell failed: ${JSON.stringify(error)}`);
    const shown = events.find((event) => event.type === 'execute_result');
    return shown?.data['text/plain'];
  }

  async function failure(code: string): Promise<CellEvent & { type: 'error' }> {
    const { events, reply } = await run(code);
    assert.equal(reply.status, 'error');
    const error = events.find((event) => event.type === 'error');
    assert.ok(error);
    return error;
  }

  it('shows the last expression, and nothing for a declaration or undefined', async () => {
    assert.equal(await result('1 + 1'), '2');
    assert.equal(await result('const first = "x"'), undefined);
    assert.equal(await result('undefined'), undefined);
    assert.equal(await result('first'), "'x'");
  });

  it('counts executions, not silent ones', async () => {
    const { reply } = await run('1');
    const next = await session.execute('2', () => undefined, { silent: true });
    const { reply: last } = await run('3');
    assert.equal(next.executionCount, reply.executionCount);
    assert.equal(last.executionCount, reply.executionCount + 1);
  });

  it('lets a cell declare a name again, also with another type', async () => {
    await run('const again = 1; let type: string = "a"');
    assert.equal(await result('const again = "one"; again.length'), '3');
    assert.equal(await result('let type: number = 2; type'), '2');
  });

  it('offers a library without import, values and types, and lets cells declare its names again', async () => {
    assert.equal(await result('const pair: Pair = { left: twice(2), right: 1 }; pair.left'), '4');
    assert.equal(await result('import { twice as other } from "tiny"; other === twice'), 'true');
    assert.equal(await result('(await import("tiny")).twice(4)'), '8');
    assert.equal(await result('const twice = "mine"; twice'), "'mine'");
  });

  it('passes on variables of earlier cells in every place where a name can stand', async () => {
    await run('let image = "a.png"; const count = 3; function box(o: object) { return o }');
    assert.equal(await result('box({ image, count })'), "{ image: 'a.png', count: 3 }");
    assert.equal(await result('({ image } = { image: "b.png" }); image'), "'b.png'");
    assert.equal(await result('const later = () => `${image} ${count}`; later()'), "'b.png 3'");
    assert.equal(await result('({ image = "c.png" } = {} as { image?: string }); image'), "'c.png'");
  });

  it('awaits at top level, in loops too, and a promise as last expression', async () => {
    assert.equal(await result('const waited = await Promise.resolve(5); waited + 1'), '6');
    const { events } = await run('for await (const n of [Promise.resolve(1), 2]) console.log(n)');
    assert.deepEqual(
      events.map((event) => event.type === 'stream' && event.text),
      ['1\n', '2\n'],
    );
    assert.equal(await result('new Promise((resolve) => setTimeout(() => resolve("late"), 5))'), "'late'");
  });

  it('imports packages that are ES modules only, statically and dynamically', async () => {
    assert.equal(await result('import value from "esm-only"; value.answer'), '42');
    assert.equal(await result('const module = await import("esm-only"); module.default.answer'), '42');
    assert.equal(await result('const fs = await import("node:fs"); fs.existsSync(".")'), 'true');
    assert.equal(await result('import { basename } from "node:path"; basename("/a/b.png")'), "'b.png'");
  });

  it('imports packages that are CommonJS', async () => {
    assert.equal(await result('import common from "common"; common.double(21)'), '42');
    assert.equal(await result('import { double } from "common"; double(4)'), '8');
    assert.equal(await result('(await import("common")).default.double(5)'), '10');
  });

  it('imports packages that come in both forms, whose state is there once', async () => {
    assert.equal(await result('import { form, state } from "dual"; state.count = 7; form'), "'import'");
    assert.equal(await result('const dual = await import("dual"); [dual.form, dual.state.count]'), "[ 'import', 7 ]");
  });

  it('imports TypeScript files beside the notebook', async () => {
    assert.equal(await result('import { side, fail } from "./side.ts"; side + 1'), '42');
    const error = await failure('fail()');
    assert.equal(error.evalue, 'from side');
    assert.equal(await result('__dirname'), `'${folder}'`);
  });

  it('finds a module that was missing and is there now', async () => {
    assert.match((await failure('import { late } from "./late.ts"; late')).evalue, /Cannot find module/);
    writeFiles(folder, { 'late.ts': 'export const late = "there";\n' });
    assert.equal(await result('import { late } from "./late.ts"; late'), "'there'");
  });

  it('keeps the declarations of a cell that fails while it runs', async () => {
    await failure('const kept = 7; throw new Error("after it")');
    assert.equal(await result('kept'), '7');
  });

  it('points into the cell that failed and the cell that it called', async () => {
    const { reply } = await run(
      'interface Shape { sides: number }\n\nfunction draw(shape: Shape) {\n  throw new TypeError("no pen");\n}',
    );
    const error = await failure('// a comment\ndraw({ sides: 3 });');
    assert.equal(error.ename, 'TypeError');
    assert.equal(error.evalue, 'no pen');
    const text = error.traceback.join('\n');
    assert.match(text, new RegExp(`at draw in cell ${reply.executionCount}, line 4, column 9`));
    assert.match(text, new RegExp(`at cell ${reply.executionCount + 1}, line 2, column 1`));
    assert.match(text, /> 4 \| {3}throw new TypeError\("no pen"\);/);
    assert.doesNotMatch(text, /kernel|node:|node_modules/);
  });

  it('shows a type error with its line, column and code, and no stack', async () => {
    const error = await failure('const fine = 1;\nconst wrong: number = "text";');
    assert.equal(error.ename, 'TypeScriptError');
    assert.match(error.evalue, /not assignable to type 'number'.*line 2, column 7/);
    assert.match(error.traceback[0]!, /line 2, column 7 - error TS2322/);
    assert.ok(error.traceback.includes('> 2 | const wrong: number = "text";'));
    assert.ok(error.traceback.includes('    |       ^^^^^'));
    assert.ok(!error.traceback.some((line) => /^\s+at /.test(line)));
    assert.equal((await failure('fine')).ename, 'TypeScriptError', 'nothing of a cell with type errors ran');
  });

  it('shows a syntax error in the same way', async () => {
    const error = await failure('const = 3');
    assert.equal(error.ename, 'TypeScriptError');
    assert.match(error.traceback[0]!, /line 1, column 7 - error TS\d+/);
  });

  it('reports what was thrown though it is no error', async () => {
    assert.equal((await failure('throw "just text"')).evalue, 'just text');
    assert.match((await failure('throw { code: 3 }')).evalue, /code: 3/);
  });

  it('captures the console and both streams, without colours, and nothing that others print', async () => {
    const { events } = await run(
      'console.log("%d cats", 2, { a: [1] }); console.error("oh"); process.stdout.write("raw"); undefined',
    );
    assert.deepEqual(events, [
      { type: 'stream', name: 'stdout', text: '2 cats { a: [ 1 ] }\n' },
      { type: 'stream', name: 'stderr', text: 'oh\n' },
      { type: 'stream', name: 'stdout', text: 'raw' },
    ]);
  });

  it('gives late output to the cell that it comes from', async () => {
    const events: CellEvent[] = [];
    await session.execute('setTimeout(() => console.log("late"), 30); undefined', (event) => events.push(event));
    const { events: others } = await run('await new Promise((resolve) => setTimeout(resolve, 80))');
    assert.deepEqual(others, []);
    assert.deepEqual(events, [{ type: 'stream', name: 'stdout', text: 'late\n' }]);
  });

  it('survives errors that nobody awaits, and process.exit', async () => {
    const events: CellEvent[] = [];
    await session.execute('Promise.reject(new Error("stray")); undefined', (event) => events.push(event));
    await run('await new Promise((resolve) => setTimeout(resolve, 20))');
    assert.ok(
      events.some((event) => event.type === 'stream' && event.name === 'stderr' && event.text.includes('stray')),
    );
    assert.match((await failure('process.exit(3)')).evalue, /process\.exit\(3\)/);
  });

  it('shows values by their own MIME bundle, and pictures as pictures', async () => {
    const { events } = await run(
      '({ [Symbol.for("Jupyter.display")]: async () => ({ "text/markdown": "*hi*", "text/plain": "hi" }) })',
    );
    assert.equal(events[0]!.type, 'execute_result');
    assert.deepEqual(events[0]?.type === 'execute_result' && events[0].data, {
      'text/markdown': '*hi*',
      'text/plain': 'hi',
    });
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const { events: picture } = await run(`Buffer.from("${png}", "base64")`);
    assert.equal(picture[0]?.type === 'execute_result' && picture[0].data['image/png'], png);
  });

  it('shows tables for records, figures for SVG, pictures for pixels, and what a class says of itself', async () => {
    const shown = async (code: string): Promise<Readonly<Record<string, unknown>>> => {
      const { events } = await run(code);
      const event = events.find(({ type }) => type === 'execute_result');
      assert.ok(event?.type === 'execute_result', JSON.stringify(events));
      return event.data;
    };
    const table = await shown('[{ name: "<b>a</b>", n: 1 }, { name: "b", more: [2] }]');
    assert.deepEqual(Object.keys(table), ['text/html', 'text/plain']);
    const html = String(table['text/html']);
    assert.match(html, /<th>name<\/th><th>n<\/th><th>more<\/th>/);
    assert.match(html, /<td>&#60;b&#62;a&#60;\/b&#62;<\/td><td align="right">1<\/td><td><\/td>/);
    assert.match(String(table['text/plain']), /│ 1 +│ 'b' +│/);
    assert.deepEqual(Object.keys(await shown('[{ a: 1 }, 2]')), ['text/plain']);
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>';
    assert.equal((await shown(`'${svg}'`))['image/svg+xml'], svg);
    const pixels = await shown('({ width: 2, height: 1, data: new Uint8ClampedArray([255, 0, 0, 255, 0, 0, 0, 0]) })');
    assert.match(String(pixels['image/png']), /^iVBORw0KGgo/);
    const own = await shown('new (class Box { toString() { return "a box" } })()');
    assert.deepEqual(own, { 'text/plain': 'a box' });
    assert.deepEqual(await shown('new Date(0)'), { 'text/plain': '1970-01-01T00:00:00.000Z' });
  });

  it('stops a cell that waits, and goes on with the next', async () => {
    setTimeout(() => {
      session.interrupt();
    }, 50);
    const { reply } = await run('const before = 1; await new Promise(() => undefined)');
    assert.equal(reply.status === 'error' && reply.interrupted, true);
    assert.equal(reply.status === 'error' && reply.ename, 'AbortError');
    assert.equal(await result('before + 1'), '2');
  });

  it('completes and explains names of earlier cells', async () => {
    await run('const completable = { inner: 1 }');
    const { candidates, start, end } = await session.complete('const x = compl', 15);
    assert.ok(candidates.some(({ text, kind }) => text === 'completable' && kind === 'const'));
    assert.deepEqual([start, end], [10, 15]);
    assert.deepEqual((await session.complete('completable.', 12)).candidates, [{ text: 'inner', kind: 'property' }]);
    assert.match(session.inspect('completable', 3)!.signature, /const completable: \{\s+inner: number;\s+\}/);
    assert.deepEqual(session.isComplete('function f() {'), { status: 'incomplete', indent: '  ' });
    assert.equal(session.isComplete('await f()').status, 'complete');
    assert.equal(session.isComplete('const = 3').status, 'invalid');
  });
});
