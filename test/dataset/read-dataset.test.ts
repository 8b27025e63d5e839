import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MOST_IMAGE_BYTES, pictureInside } from '../../kernel/dataset/inside.ts';
import { readDataset } from '../../kernel/dataset/read-dataset.ts';
import type { DatasetSample, Sample } from '../../kernel/dataset/sample.ts';
import { decodeImage } from '../../kernel/image/decode.ts';
import type { ImageSource } from '../../kernel/image/picture.ts';
import { temporaryFolder } from '../jupyter/tiny-library.ts';
import { writeCvBench, writeLlavaBench, writeMmstar, writeMmvp } from './benchmarks.ts';

const sampleAt = (samples: readonly DatasetSample[], at: number): Sample => {
  const sample = samples[at]!;
  assert.ok(!('problem' in sample), JSON.stringify(sample));
  return sample;
};
const imageOf = ({ image }: Sample): Promise<ImageSource> => (image as () => Promise<ImageSource>)();
const widthOf = async (sample: Sample): Promise<number> => (await decodeImage(await imageOf(sample))).width;

describe('reading benchmarks', () => {
  it('MMVP: a CSV, pictures by number', async () => {
    const file = writeMmvp(temporaryFolder('mmvp'));
    const samples = await readDataset(file);
    const { question, references, choices, id } = sampleAt(samples, 0);
    assert.deepEqual([id, question, references, choices], ['1', 'Is there a sign, or not?', '(a)', ['Yes', 'No']]);
    assert.equal(await widthOf(sampleAt(samples, 1)), 192);
    assert.deepEqual(
      samples.map((sample) => 'problem' in sample),
      [false, false, true, false],
    );
    assert.match((samples[2] as { problem: string }).problem, /record 3: "index" is wrong/);
    await assert.rejects(imageOf(sampleAt(samples, 3)), /there is no picture "4.jpg"/);
    const [chosen] = await readDataset(file, { withChoices: true, limit: 1 });
    assert.equal(
      (chosen as Sample).question,
      "Is there a sign, or not?\nA. Yes\nB. No\nAnswer only with the option's letter from the given choices directly.",
    );
  });

  it('CV-Bench: JSON lines of a folder, and nothing outside it', async () => {
    const samples = await readDataset(writeCvBench(temporaryFolder('cv-bench')));
    assert.deepEqual(
      samples.map(({ id }) => id),
      ['0', '1', '2', '3', '0, record 5', 'test_2d.jsonl, record 6', 'test_2d.jsonl, record 7', '6'],
    );
    const { category, choices, references } = sampleAt(samples, 7);
    assert.deepEqual([category, choices, references], ['Depth', ['2', '0', '1', '3'], '(A)']);
    assert.equal(await widthOf(sampleAt(samples, 0)), 192);
    await assert.rejects(imageOf(sampleAt(samples, 2)), /"\.\.\/\.\.\/outside\.png" lies outside the dataset's folder/);
    await assert.rejects(imageOf(sampleAt(samples, 3)), /lies outside the dataset's folder/);
    assert.match((samples[4] as { problem: string }).problem, /another sample has the id "0"/);
    assert.match((samples[5] as { problem: string }).problem, /line 6 is not JSON/);
    assert.match((samples[6] as { problem: string }).problem, /"choices" is wrong/);
    const [chosen] = await readDataset(path.join(writeCvBench(temporaryFolder('cv-bench')), 'test_2d.jsonl'), {
      withChoices: true,
      limit: 1,
    });
    assert.match((chosen as Sample).question, /image\?\nA\. 2\nB\. 0\nC\. 1\nD\. 3\nAnswer with the option's letter/);
  });

  it('LLaVA-Bench: questions and answers', async () => {
    const samples = await readDataset(writeLlavaBench(temporaryFolder('llava-bench')));
    const { id, question, references, category } = sampleAt(samples, 0);
    assert.deepEqual(
      [id, question, references, category],
      ['0', 'What is in the picture?', 'There are two cows and a sign.', 'conv'],
    );
    assert.equal(sampleAt(samples, 1).references, undefined);
    assert.equal(await widthOf(sampleAt(samples, 0)), 192);
  });

  for (const images of ['bytes', 'hub'] as const) {
    it(`MMStar: Parquet with pictures (${images})`, async () => {
      const file = await writeMmstar(temporaryFolder('mmstar'), images);
      const open = await readDataset(file);
      const first = sampleAt(open, 0);
      assert.deepEqual(
        [first.id, first.question, first.references, first.category, first.choices],
        ['0', 'How many cows are in the picture?', 'A', 'coarse perception', ['two', 'three', 'none', 'one']],
      );
      assert.deepEqual(sampleAt(open, 1).choices, ['Nothing.', 'A cow.']);
      assert.equal(sampleAt(open, 2).choices, undefined);
      assert.equal(await widthOf(first), 192);
      await assert.rejects(imageOf(sampleAt(open, 2)), /row 3 has no picture/);
      const [chosen] = await readDataset(file, { withChoices: true });
      assert.match(
        (chosen as Sample).question,
        /D: one\nAnswer with the option's letter from the given choices directly\.$/,
      );
    });
  }

  it('says what it cannot read', async () => {
    const folder = temporaryFolder('no-dataset');
    await assert.rejects(readDataset(path.join(folder, 'none.csv')), /there is no dataset/);
    await assert.rejects(readDataset(folder), /has no questions of a known benchmark/);
    const write = (name: string, content: string): string => {
      writeFileSync(path.join(folder, name), content);
      return path.join(folder, name);
    };
    await assert.rejects(readDataset(write('a.xlsx', '')), /must end in \.csv, \.jsonl, \.parquet/);
    await assert.rejects(readDataset(write('a.csv', 'x,y\n1,2\n')), /is of no known benchmark: its fields are x, y/);
    await assert.rejects(readDataset(write('a.parquet', 'no')), /cannot read .* as Parquet/);
    await assert.rejects(readDataset(write('b.csv', 'x\n'), { format: 'mmvq' }), /no dataset format "mmvq".*mmvp/);
  });
});

describe('a picture that a dataset names', () => {
  const folder = temporaryFolder('pictures');
  const inner = path.join(folder, 'inner');
  mkdirSync(inner);
  writeFileSync(path.join(folder, 'secret.png'), 'x');
  writeFileSync(path.join(inner, 'a..png'), 'x');

  it('lies in its folder, also where a link leads', async () => {
    assert.equal(await pictureInside(inner, 'a..png'), path.join(inner, 'a..png'));
    symlinkSync(path.join(folder, 'secret.png'), path.join(inner, 'link.png'));
    symlinkSync(folder, path.join(inner, 'up'));
    const outside = [
      '../secret.png',
      path.join(folder, 'secret.png'),
      'link.png',
      'up/secret.png',
      'file:///etc/passwd',
      'http://x/y.png',
      'a\0b',
    ];
    for (const name of outside) await assert.rejects(pictureInside(inner, name), /lies outside/, name);
  });

  it('may be a link into the cache of the Hub that its snapshot lies in', async () => {
    const cache = path.join(folder, 'datasets--a--b');
    mkdirSync(path.join(cache, 'snapshots', '0', 'images'), { recursive: true });
    mkdirSync(path.join(cache, 'blobs'));
    writeFileSync(path.join(cache, 'blobs', 'b'), 'x');
    const images = path.join(cache, 'snapshots', '0', 'images');
    symlinkSync(path.join('..', '..', '..', 'blobs', 'b'), path.join(images, '1.jpg'));
    assert.equal(await pictureInside(images, '1.jpg'), path.join(images, '1.jpg'));
  });

  it('is a file of a picture’s size', async () => {
    await assert.rejects(pictureInside(folder, 'inner'), /is not a file/);
    writeFileSync(path.join(inner, 'large.png'), '');
    truncateSync(path.join(inner, 'large.png'), MOST_IMAGE_BYTES + 1);
    await assert.rejects(pictureInside(inner, 'large.png'), /is too large: 64\.0 MB/);
  });
});
