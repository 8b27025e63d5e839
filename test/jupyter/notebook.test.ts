import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { LensError } from '../../kernel/errors.ts';
import {
  formatNotebook,
  joinLines,
  parseNotebook,
  readNotebook,
  splitLines,
  writeNotebook,
} from '../../kernel/jupyter/notebook.ts';
import { temporaryFolder } from './tiny-library.ts';

const folder = temporaryFolder('notebook');

/** As Jupyter writes it: one space, keys in alphabetical order, things that we know nothing of. */
const JUPYTER = `{
 "cells": [
  {
   "attachments": {},
   "cell_type": "markdown",
   "id": "intro",
   "metadata": {
    "tags": [
     "a"
    ]
   },
   "source": [
    "# Grüße\\n",
    "<script>alert(1)</script>"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 3,
   "id": "c-1",
   "metadata": {},
   "outputs": [
    {
     "data": {
      "application/vnd.other+json": {
       "b": 1,
       "a": 1.0e-7
      },
      "text/plain": [
       "3"
      ]
     },
     "execution_count": 3,
     "metadata": {},
     "output_type": "execute_result"
    }
   ],
   "source": "1 + 2"
  }
 ],
 "metadata": {
  "unknown": {
   "kept": true
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`.replace('1.0e-7', '1e-7');

describe('notebook files', () => {
  it('come back byte for byte when nothing changed', () => {
    assert.equal(formatNotebook(parseNotebook(JUPYTER, 'x.ipynb')), JUPYTER);
  });

  it('keep another indentation, and the missing newline at the end', () => {
    for (const indent of ['', '  ', '\t']) {
      const text = JSON.stringify(JSON.parse(JUPYTER), undefined, indent);
      assert.equal(formatNotebook(parseNotebook(text, 'x.ipynb')), text);
    }
  });

  it('give cells of older formats an id, and write format 4.5', () => {
    const old = JSON.stringify({
      nbformat: 4,
      nbformat_minor: 2,
      metadata: {},
      cells: [
        { cell_type: 'markdown', metadata: {}, source: 'a' },
        { cell_type: 'markdown', metadata: {}, source: 'b' },
      ],
    });
    const { notebook } = parseNotebook(old, 'old.ipynb');
    assert.equal(notebook.nbformat_minor, 5);
    const ids = notebook.cells.map(({ id }) => id);
    assert.equal(new Set(ids).size, 2);
    for (const id of ids) assert.match(id!, /^[\w-]{1,64}$/);
  });

  it('are refused with the reason: no JSON, format 3, no notebook, a broken cell', () => {
    const refused: [text: string, message: RegExp][] = [
      ['hello', /"x.ipynb" is not a notebook: it is not valid JSON/],
      ['{"nbformat": 3, "worksheets": []}', /format 3.*Open it in Jupyter/],
      ['{"a": 1}', /not a valid notebook/],
      ['[]', /not a valid notebook/],
      ['null', /not a valid notebook/],
      [
        JUPYTER.replace('"execution_count": 3,\n   "id"', '"execution_count": "3",\n   "id"'),
        /cells\.1\.execution_count/,
      ],
      [JUPYTER.replace('"intro"', '"no spaces"'), /cells\.0\.id.*1 to 64/],
    ];
    for (const [text, message] of refused) {
      assert.throws(
        () => parseNotebook(text, 'x.ipynb'),
        (error) => error instanceof LensError && message.test(error.message),
        text,
      );
    }
  });

  it('are read and written on disk, and errors name the file and the reason', async () => {
    const file = path.join(folder, 'a.ipynb');
    await writeFile(file, JUPYTER);
    await writeNotebook(file, await readNotebook(file));
    assert.equal(await readFile(file, 'utf8'), JUPYTER);
    await assert.rejects(readNotebook(path.join(folder, 'none.ipynb')), /none\.ipynb": it does not exist/);
    await assert.rejects(readNotebook(folder), /it is a folder/);
    await assert.rejects(
      writeNotebook(path.join(folder, 'no', 'where.ipynb'), await readNotebook(file)),
      /its folder does not exist/,
    );
  });

  it('hold text as lines that join to the same text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '\n', 'é', ' ')), (letters) => {
        const text = letters.join('');
        const lines = splitLines(text);
        assert.equal(joinLines(lines), text);
        assert.ok(lines.slice(0, -1).every((line) => /^[^\n]*\n$/.test(line)));
      }),
    );
  });
});
