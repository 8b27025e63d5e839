import assert from 'node:assert/strict';
import { linkedStack } from '../../extension/error-links.ts';
import { joined } from '../../extension/joined-events.ts';
import { parametersOf, withoutKind } from '../../extension/language/signature.ts';
import { findNode, isNewEnough } from '../../extension/node-executable.ts';
import { LensError } from '../../kernel/errors.ts';
import type { CellEvent } from '../../kernel/jupyter/events.ts';

describe('links in tracebacks', () => {
  it('stand at the beginning of a line, with the rest below', () => {
    assert.equal(
      linkedStack(['TypeError: x', '    at f in cell 3, line 2, column 5', '> 2 | x.y']),
      'TypeError: x\nCell In[3], line 2\n    in f\n> 2 | x.y',
    );
  });

  it("are made of TypeScript's complaints too", () => {
    assert.equal(
      linkedStack(["cell 12, line 1, column 7 - error TS2304: Cannot find name 'a'."]),
      "Cell In[12], line 1\n    column 7 - error TS2304: Cannot find name 'a'.",
    );
  });

  it('leave other lines alone', () => {
    const lines = ['    at file:///x.ts:1:2', 'cell 3 is nice', ''];
    assert.equal(linkedStack(lines), lines.join('\n'));
  });
});

describe('joined events', () => {
  const text = (name: 'stdout' | 'stderr', text: string): CellEvent => ({ type: 'stream', name, text });

  it('lose no text and keep the order of streams', () => {
    assert.deepEqual(
      joined([text('stdout', 'a'), text('stdout', 'b'), text('stderr', 'c'), text('stdout', 'd'), text('stdout', 'e')]),
      [text('stdout', 'ab'), text('stderr', 'c'), text('stdout', 'de')],
    );
  });

  it('keep the newest of a progress line', () => {
    const news = (displayId: string, line: string): CellEvent => ({ type: 'progress', displayId, text: line });
    assert.deepEqual(joined([news('a', '1'), news('a', '2'), news('b', '1')]), [news('a', '2'), news('b', '1')]);
  });
});

describe('parameters of a signature', () => {
  const texts = (signature: string) => parametersOf(signature).map(([start, end]) => signature.slice(start, end));

  it('are found between commas of the first list', () => {
    assert.deepEqual(texts('function f(a: number, b?: string): void'), ['a: number', 'b?: string']);
    assert.deepEqual(texts('f()'), []);
    assert.deepEqual(texts('const x: number'), []);
  });

  it('come after what kind of name it is', () => {
    assert.equal(withoutKind('(alias) function f(a: b): c'), 'function f(a: b): c');
    assert.equal(withoutKind('(local var) f: (a: b) => c'), 'f: (a: b) => c');
  });

  it('may hold functions, generics and objects', () => {
    assert.deepEqual(texts('map<U>(callback: (value: T, index: number) => U, thisArg?: Map<a, b>): U[]'), [
      'callback: (value: T, index: number) => U',
      'thisArg?: Map<a, b>',
    ]);
  });
});

describe('the Node that runs kernels', () => {
  it('is new enough from 20.12 on', () => {
    assert.deepEqual(['18.20.0', '20.11.1', '20.12.0', '22.0.0'].map(isNewEnough), [false, false, true, true]);
  });

  it('is the one that is named', async () => {
    assert.deepEqual(await findNode(process.execPath), {
      path: process.execPath,
      version: process.versions.node,
      env: {},
    });
  });

  it('is named in the message where it cannot be run', async () => {
    await assert.rejects(findNode('/nowhere/node'), (error) => {
      assert.ok(error instanceof LensError);
      assert.match(error.message, /lvlmLens\.node.*\/nowhere\/node/);
      return true;
    });
  });
});
