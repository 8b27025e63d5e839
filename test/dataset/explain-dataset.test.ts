import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, cpSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withDatabase } from '../../kernel/dataset/duckdb.ts';
import {
  AbortError,
  explainDataset,
  ExplanationResult,
  openDataset,
  readDataset,
  shutdown,
} from '../../kernel/index.ts';
import type { DatasetSample, ExplainDatasetOptions, Progress } from '../../kernel/index.ts';
import { readDocument } from '../../renderer/read-document.ts';
import { lvlmLens } from '../cli/command.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { writeCvBench, writeLlavaBench, writeMmstar, writeMmvp } from './benchmarks.ts';

const scene = (at: number): string =>
  fileURLToPath(new URL(`../evidence/${String(at).padStart(3, '0')}.png`, import.meta.url));

const QUESTION = 'What is in the picture?';
const SAMPLES: readonly DatasetSample[] = [
  { id: 'cows', image: scene(0), question: QUESTION, references: ['There are two cows and a sign.', 'nothing'] },
  { id: 'gone', image: scene(999), question: QUESTION },
  { id: 'other', image: () => Promise.resolve(readFileSync(scene(1))), question: QUESTION, references: 'A unicorn.' },
  { id: 'broken', problem: 'line 7 is not JSON' },
  { id: 'mute', image: scene(0), question: ' ' },
];

/** As quick as it gets. */
const QUICK = { method: 'input-x-gradient', metrics: ['blur'] } as const;

describe('explainDataset', function () {
  this.timeout(300_000);
  const folder = temporaryFolder('dataset');
  after(shutdown);

  it('records each sample with everything, and goes on after one that fails', async () => {
    const file = path.join(folder, 'results.duckdb');
    const news: Progress[] = [];
    const result = await explainDataset(SAMPLES, { ...QUICK, file, onProgress: (progress) => news.push(progress) });
    assert.deepEqual(result.counts, { samples: 5, done: 2, failed: 3, earlier: 0 });
    assert.deepEqual(
      result.rows.map(({ sample, status, correct }) => [sample, status, correct]),
      [
        ['cows', 'done', true],
        ['gone', 'failed', null],
        ['other', 'done', false],
        ['broken', 'failed', null],
        ['mute', 'failed', null],
      ],
    );
    const problems = result.failures.map(({ problem }) => problem!);
    assert.match(problems[0]!, /cannot read the image .*999\.png.*does not exist/);
    assert.equal(problems[1], 'line 7 is not JSON');
    assert.match(problems[2]!, /the question is empty|Ask something/);
    const [cows] = result.rows;
    assert.equal(cows!.answer, 'There are two cows and a sign.');
    assert.deepEqual([cows!.model, cows!.method, cows!.references!.length], ['pocket', 'input-x-gradient', 2]);
    assert.ok(cows!.focus! > 0 && cows!.focus! < 0.5);
    assert.ok(cows!.visual_tokens!.includes('cows'));
    assert.ok(cows!.metrics!.insertion! > cows!.metrics!.deletion!);
    const [summary] = result.summary;
    assert.deepEqual([summary!.done, summary!.failed, summary!.accuracy!.mean], [2, 3, 0.5]);
    assert.ok(news.some(({ part }) => part?.startsWith('cows: ')));
    assert.deepEqual([news.at(-1)!.step, news.at(-1)!.steps], [5, 5]);
    // The document is whole: it can be read, shown and saved.
    const explanation = await result.explanation('cows');
    assert.ok(explanation instanceof ExplanationResult);
    readDocument(JSON.parse(JSON.stringify(explanation.document)));
    assert.equal(explanation.provenance.imageHash, cows!.image_hash);
    assert.equal(explanation.focus, cows!.focus);
    await assert.rejects(result.explanation('gone'), /the sample "gone" failed: cannot read/);
  });

  it('does nothing twice, and takes up what is new', async () => {
    const file = path.join(folder, 'results.duckdb');
    const before = (await openDataset(file)).rows;
    let steps = 0;
    const again = await explainDataset(SAMPLES, { ...QUICK, file, onProgress: () => steps++ });
    assert.deepEqual(again.rows, before);
    assert.deepEqual([steps, again.counts.earlier], [0, 5]);
    const changed: DatasetSample[] = [
      ...SAMPLES.slice(0, 2),
      { ...SAMPLES[2]!, references: 'There is a cow.' } as DatasetSample,
      { id: 'new', image: scene(2), question: QUESTION },
    ];
    const later = await explainDataset(changed, { ...QUICK, file });
    assert.equal(later.counts.samples, 6);
    const at = (rows: typeof before, id: string) => rows.find(({ sample }) => sample === id)!;
    assert.deepEqual(at(later.rows, 'cows'), at(before, 'cows'));
    assert.notEqual(at(later.rows, 'other').created, at(before, 'other').created);
    const failed = await explainDataset([{ ...SAMPLES[1]!, image: scene(999) } as DatasetSample], {
      ...QUICK,
      file,
      retryFailed: true,
    });
    assert.notEqual(at(failed.rows, 'gone').created, at(before, 'gone').created);
  });

  it('refuses results of other options, and what is no list of samples', async () => {
    const file = path.join(folder, 'results.duckdb');
    await assert.rejects(explainDataset(SAMPLES, { ...QUICK, file, seed: 4 }), /"seed" was 0 and is 4 now/);
    const tryOptions = (options: object) =>
      explainDataset(SAMPLES, { file: path.join(folder, 'x.duckdb'), ...options } as ExplainDatasetOptions);
    await assert.rejects(tryOptions({ methods: 'igos+' }), /no option "methods".*"method"/);
    await assert.rejects(tryOptions({ method: 'igos' }), /there is no method "igos"/);
    await assert.rejects(tryOptions({ file: path.join(folder, 'none', 'x.duckdb') }), /there is no folder/);
    await assert.rejects(tryOptions({ model: path.join(folder, 'no-model'), ...QUICK }), /no-model/);
    await assert.rejects(explainDataset([SAMPLES[0]!, SAMPLES[0]!], { file }), /two samples have the id "cows"/);
    const other = path.join(folder, 'other.duckdb');
    await withDatabase(({ connection }) => connection.run('CREATE TABLE t (x INTEGER)'), other);
    await assert.rejects(openDataset(other), /is a database, but not one of explainDataset/);
    writeFileSync(path.join(folder, 'text.duckdb'), 'no database at all, but long enough to look at');
    await assert.rejects(openDataset(path.join(folder, 'text.duckdb')), /cannot open the results' file/);
  });

  it('puts every sample to every model and method', async () => {
    const file = path.join(folder, 'several.duckdb');
    const result = await explainDataset(SAMPLES.slice(0, 1), {
      file,
      metrics: false,
      method: ['input-x-gradient', { name: 'smooth-grad', samples: 2 }],
    });
    assert.deepEqual(
      result.summary.map(({ method, done }) => [method, done]),
      [
        ['input-x-gradient', 1],
        ['{"name":"smooth-grad","samples":2}', 1],
      ],
    );
    const second = await result.explanation('cows', { method: result.rows[1]!.method });
    assert.equal(second.map!.method, 'smooth-grad');
  });

  it('stops when asked to, and keeps what it has', async () => {
    const file = path.join(folder, 'stopped.duckdb');
    const controller = new AbortController();
    const samples = [0, 1, 2].map((at) => ({ id: String(at), image: scene(at), question: QUESTION }));
    await assert.rejects(
      explainDataset(samples, {
        ...QUICK,
        file,
        signal: controller.signal,
        onProgress: ({ part, step }) => (part === undefined && step === 1 ? controller.abort() : undefined),
      }),
      AbortError,
    );
    assert.deepEqual((await openDataset(file)).counts, { samples: 1, done: 1, failed: 0, earlier: 1 });
  });

  it('exports Parquet, CSV and JSON with all columns, and shows itself', async () => {
    const result = await openDataset(path.join(folder, 'results.duckdb'));
    for (const ending of ['parquet', 'csv', 'json']) {
      const target = await result.save(path.join(folder, `it's.${ending}`));
      const rows = await withDatabase(async ({ connection }) => {
        const query = 'SELECT sample, answer, document IS NOT NULL AS whole FROM';
        return (
          await connection.runAndReadAll(`${query} '${target.replaceAll("'", "''")}' ORDER BY sample`)
        ).getRowObjectsJS();
      });
      assert.equal(rows.length, result.rows.length, ending);
      assert.deepEqual(rows[1], { sample: 'cows', answer: 'There are two cows and a sign.', whole: true }, ending);
    }
    await assert.rejects(result.save(path.join(folder, 'x.xlsx')), /must end in \.parquet/);
    const shown = result[Symbol.for('Jupyter.display') as keyof typeof result] as unknown as () => Record<
      string,
      string
    >;
    const { 'text/markdown': markdown, 'text/plain': text } = shown.call(result);
    assert.match(markdown!, /6 samples: 3 explained.*3 failed/);
    assert.match(markdown!, /\| pocket \| input-x-gradient \| 3 \|/);
    assert.match(text!, /^model +method +n +accuracy +depends on the image +focus +deletion +insertion$/m);
  });

  it('loses nothing and repeats nothing when its process is killed', async () => {
    const home = temporaryFolder('killed');
    mkdirSync(path.join(home, 'images'));
    const ids = [0, 1, 2, 3, 4, 5];
    const lines = ids.map((id) => ({ question_id: id, image: `${id}.png`, text: QUESTION }));
    for (const id of ids) cpSync(scene(id), path.join(home, 'images', `${id}.png`));
    const questions = path.join(home, 'questions.jsonl');
    writeFileSync(questions, lines.map((line) => JSON.stringify(line)).join('\n'));
    const file = path.join(home, 'results.duckdb');
    const run = (killAt?: string) => {
      const script = fileURLToPath(new URL('dataset-process.ts', import.meta.url));
      const child = spawn(process.execPath, ['--import', 'tsx', script, questions, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return new Promise<string | number>((resolve) => {
        child.stdout.on('data', (text: Buffer) => {
          if (killAt !== undefined && text.toString().includes(killAt)) child.kill('SIGKILL');
        });
        child.on('exit', (code, signal) => resolve(signal ?? code!));
      });
    };
    assert.equal(await run('done 2'), 'SIGKILL');
    const before = (await openDataset(file)).rows;
    assert.ok(before.length >= 2 && before.length < ids.length, `${before.length} rows`);
    assert.equal(await run(), 0);
    const after = await openDataset(file);
    assert.deepEqual(
      after.rows.map(({ sample }) => sample),
      ids.map(String),
    );
    assert.deepEqual(after.rows.slice(0, before.length), before);
    assert.ok(after.rows.every(({ status }) => status === 'done'));
  });

  it('explains every benchmark, and from the shell', async () => {
    const files = [
      writeMmvp(path.join(folder, 'mmvp')),
      await writeMmstar(path.join(folder, 'mmstar')),
      writeLlavaBench(path.join(folder, 'llava')),
    ];
    for (const [at, questions] of files.entries()) {
      const samples = await readDataset(questions, { limit: 1 });
      const { rows } = await explainDataset(samples, { ...QUICK, file: path.join(folder, `benchmark-${at}.duckdb`) });
      assert.equal(rows[0]!.status, 'done', rows[0]!.problem ?? '');
    }
    const bench = writeCvBench(path.join(folder, 'cv'));
    const args = [
      'dataset',
      bench,
      '--results',
      'cv.duckdb',
      '--method',
      'input-x-gradient',
      '--no-metrics',
      '--limit',
      '4',
    ];
    const { code, stdout, stderr } = await lvlmLens([...args, '-o', 'cv.parquet'], folder);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^4 samples: 2 explained, 2 failed\.$/m);
    assert.match(stdout, /2 failed: the picture "\.\.\/\.\.\/outside\.png" lies outside/);
    assert.match(stderr, /wrote .*cv\.parquet/);
    const again = await lvlmLens(args, folder);
    assert.match(again.stdout, /^4 samples: 2 explained, 2 failed\.$/m);
  });
});
