import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MIME_TYPE, type LensDocument } from '../../kernel/document.ts';
import { joinLines, readNotebook, type CodeCell } from '../../kernel/jupyter/notebook.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { lvlmLens } from './command.ts';

describe('lvlm-lens demo', function () {
  this.timeout(600_000);

  it('runs the quickstart notebook, makes the report, and prints where they are and what was measured', async () => {
    const folder = temporaryFolder('demo');
    const { code, stdout, stderr } = await lvlmLens(['demo', '-o', 'made'], folder);
    assert.equal(code, 0, stderr);

    const { notebook } = await readNotebook(path.join(folder, 'made', 'quickstart.ipynb'));
    const cells = notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === 'code');
    const bundles = cells.flatMap(({ outputs }) =>
      outputs.flatMap((output) => ('data' in output ? [output.data] : [])),
    );
    const documents = bundles.flatMap((data) => {
      const document = (data as Record<string, unknown>)[MIME_TYPE];
      return document === undefined ? [] : [document as LensDocument];
    });
    assert.deepEqual(
      documents.map(({ kind, axis }) => axis ?? kind),
      ['explanation', 'explanation', 'explanation', 'answers'],
    );
    assert.ok(cells.every(({ outputs }) => outputs.every((output) => output.output_type !== 'error')));
    for (const { explanations } of documents) {
      for (const { question, answer } of explanations) {
        assert.ok(stdout.includes(`${question} ${answer.text}`), `"${question} ${answer.text}" is printed`);
      }
    }
    const printed = cells.at(-1)!.outputs[0]!;
    assert.ok(printed.output_type === 'stream');
    assert.equal(
      joinLines(printed.text).match(/^[* ] +-?\d+\.\d\d /gm)?.length,
      documents[0]!.explanations[0]!.answer.tokens.length,
    );

    assert.match(stdout, /^notebook {2}.*made.quickstart\.ipynb$/m);
    assert.match(stdout, /^report {4}file:\/\/.*\/made\/quickstart\.html$/m);
    const page = readFileSync(path.join(folder, 'made', 'quickstart.html'), 'utf8');
    assert.equal(page.split(`type="${MIME_TYPE}"`).length - 1, documents.length);
    assert.doesNotMatch(page, /(src|href)="https?:/);
  });
});
