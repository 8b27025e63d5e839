import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { MIME_TYPE, type Explanation, type LensDocument } from '../../kernel/document.ts';
import { joinLines, readNotebook, type CodeCell, type Notebook } from '../../kernel/jupyter/notebook.ts';
import { decodedMap } from '../../kernel/saliency-bytes.ts';
import { rankCorrelation } from '../../kernel/metrics/rank-correlation.ts';
import { readDocument } from '../../renderer/read-document.ts';
import { lvlmLens } from '../cli/command.ts';
import { executed } from '../hosts/executed.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../notebooks');

/** Sums in another order end in other last digits, and an optimiser makes more of that: relative or absolute, whichever is larger. */
const TOLERANCE = 0.02;

const NAMES = (await readdir(FOLDER)).filter((name) => name.endsWith('.ipynb')).sort();

function codeCells({ cells }: Notebook): readonly CodeCell[] {
  return cells.filter((cell): cell is CodeCell => cell.cell_type === 'code');
}

function bundlesOf({ outputs }: CodeCell): readonly Record<string, unknown>[] {
  return outputs.flatMap((output) => ('data' in output ? [output.data as Record<string, unknown>] : []));
}

function documentsOf(cell: CodeCell): readonly LensDocument[] {
  return bundlesOf(cell).flatMap((data) => (data[MIME_TYPE] === undefined ? [] : [readDocument(data[MIME_TYPE])]));
}

/** Everything that a cell tells in words: tables, printed lines. Not what is told of documents, which are compared themselves. */
function wordsOf(cell: CodeCell): string {
  return cell.outputs
    .map((output) => {
      if (output.output_type === 'stream') return joinLines(output.text);
      if (!('data' in output) || MIME_TYPE in (output.data as object)) return '';
      const { 'text/plain': text } = output.data as Record<string, string | string[]>;
      return joinLines(text ?? '');
    })
    .join('\n');
}

const NUMBER = /(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?/g;

function assertNear(ours: number, theirs: number, what: string): void {
  const allowed = TOLERANCE * Math.max(1, Math.abs(theirs));
  assert.ok(Math.abs(ours - theirs) <= allowed, `${what}: ${ours} now, ${theirs} in the notebook`);
}

/** The same words with numbers that are near. */
function assertSameWords(now: string, then: string, what: string): void {
  // Columns are as wide as their numbers, folders are this machine's.
  const shape = (text: string): string =>
    text
      .replace(/'[^']*[\\/](?=[\w-]+')/g, "'")
      .replaceAll(NUMBER, '#')
      .replace(/[─\s]+/g, ' ');
  assert.equal(shape(now), shape(then), what);
  const [ours, theirs] = [now, then].map((text) => (text.match(NUMBER) ?? []).map(Number));
  ours!.forEach((value, at) => assertNear(value, theirs![at]!, `${what}, number ${at + 1}`));
}

function assertSameExplanation(now: Explanation, then: Explanation, what: string): void {
  assert.equal(now.answer.text, then.answer.text, what);
  assert.deepEqual(
    now.answer.tokens.map(({ text, selected, reason }) => [text, selected, reason]),
    then.answer.tokens.map(({ text, selected, reason }) => [text, selected, reason]),
    what,
  );
  now.answer.tokens.forEach(({ llr, text }, at) => assertNear(llr, then.answer.tokens[at]!.llr, `${what}, LLR of “${text}”`));
  assert.deepEqual(
    now.maps.map(({ tokens, method, rows, cols }) => [tokens, method, rows, cols]),
    then.maps.map(({ tokens, method, rows, cols }) => [tokens, method, rows, cols]),
    what,
  );
  now.maps.forEach((map, at) => {
    const agreement = rankCorrelation(decodedMap(map), decodedMap(then.maps[at]!));
    assert.ok(agreement > 0.98, `${what}, map ${map.label}: rank correlation ${agreement}`);
  });
  assert.deepEqual(
    now.metrics.map(({ name }) => name),
    then.metrics.map(({ name }) => name),
    what,
  );
  now.metrics.forEach(({ name, value }, at) => assertNear(value, then.metrics[at]!.value, `${what}, ${name}`));
}

describe('the example notebooks', function () {
  this.timeout(600_000);
  const folder = temporaryFolder('notebooks');

  /** @returns where `lvlm-lens run` saved it */
  async function executedHere(name: string): Promise<string> {
    const target = path.join(folder, name);
    const { code, stderr } = await lvlmLens(['run', path.join(FOLDER, name), '-o', target], folder);
    assert.equal(code, 0, stderr);
    return target;
  }

  it('are these', () => {
    assert.deepEqual(NAMES, [
      'bring-your-own-model.ipynb',
      'comparing-models.ipynb',
      'is-it-faithful.ipynb',
      'quickstart.ipynb',
      'tokens-and-thresholds.ipynb',
      'what-do-lvlms-look-at.ipynb',
    ]);
  });

  for (const name of NAMES) {
    it(`${name} is executed, whole and below 1 MB`, async () => {
      const { size } = await stat(path.join(FOLDER, name));
      assert.ok(size < 1_000_000, `${size} bytes`);
      const { notebook } = await readNotebook(path.join(FOLDER, name));
      const cells = codeCells(notebook);
      assert.deepEqual(
        cells.map(({ execution_count }) => execution_count),
        cells.map((_, at) => at + 1),
      );
      assert.ok(cells.every(({ outputs }) => outputs.every(({ output_type }) => output_type !== 'error')));
      assert.ok(cells.flatMap(documentsOf).length > 0);
      for (const bundle of cells.flatMap(bundlesOf).filter((data) => MIME_TYPE in data)) {
        assert.deepEqual(Object.keys(bundle).sort(), [MIME_TYPE, 'image/png', 'text/markdown', 'text/plain'].sort());
      }
    });

    it(`${name} says the same when it is executed again`, async () => {
      const again = executed.get(name) ?? (await executedHere(name));
      const [then, now] = [await readNotebook(path.join(FOLDER, name)), await readNotebook(again)].map(({ notebook }) =>
        codeCells(notebook),
      );
      let compared = 0;
      now!.forEach((cell, at) => {
        const before = then![at]!;
        const what = `cell ${String(cell.id)}`;
        const [ours, theirs] = [documentsOf(cell), documentsOf(before)];
        assert.equal(ours.length, theirs.length, what);
        ours.forEach((document, which) => {
          document.explanations.forEach((explanation, panel) => {
            assertSameExplanation(explanation, theirs[which]!.explanations[panel]!, `${what}, panel ${panel + 1}`);
            compared++;
          });
        });
        assertSameWords(wordsOf(cell), wordsOf(before), what);
        compared += (wordsOf(cell).match(NUMBER) ?? []).length;
      });
      assert.ok(compared > 3, `${compared} things compared`);
    });
  }
});
