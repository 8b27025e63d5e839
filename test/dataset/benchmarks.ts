/** Small benchmarks in the formats that they are published in, with pictures of test/evidence. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withDatabase } from '../../kernel/dataset/duckdb.ts';

const scene = (name: string): string => fileURLToPath(new URL(`../evidence/${name}`, import.meta.url));

function copyPictures(folder: string, names: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  names.forEach((name, i) => cpSync(scene(`00${i}.png`), path.join(folder, name)));
}

/** MMVP: Questions.csv and MMVP Images/. */
export function writeMmvp(folder: string): string {
  copyPictures(path.join(folder, 'MMVP Images'), ['1.jpg', '2.jpg']);
  const file = path.join(folder, 'Questions.csv');
  writeFileSync(
    file,
    [
      '\uFEFFIndex,Question,Options,Correct Answer',
      '1,"Is there a sign, or not?",(a) Yes (b) No,(a)',
      '2,"Is there a sign, or not?",(a) Yes (b) No,(b)',
      'three,Is there a sign?,(a) Yes (b) No,(b)',
      '4,Is there a cow?,(a) Yes (b) No,(b)',
    ].join('\r\n'),
  );
  return file;
}

/** CV-Bench: test_2d.jsonl, test_3d.jsonl and img/. */
export function writeCvBench(folder: string): string {
  copyPictures(path.join(folder, 'img', '2D', 'count'), ['ade20k_10.png', 'ade20k_11.png']);
  const line = (idx: number, filename: string, more = {}): string =>
    JSON.stringify({
      ...{ idx, type: '2D', task: 'Count', image: null, question: 'How many cows are in the image?' },
      ...{ choices: ['2', '0', '1', '3'], answer: '(A)', prompt: 'How many cows?\n(A) 2', filename },
      ...{ source: 'ADE20K', source_dataset: 'ADE20K', source_filename: 'x.jpg', target_class: null, ...more },
    });
  writeFileSync(
    path.join(folder, 'test_2d.jsonl'),
    [
      line(0, '2D/count/ade20k_10.png'),
      line(1, '2D/count/ade20k_11.png'),
      line(2, '../../outside.png'),
      line(3, path.join(folder, 'img', '2D', 'count', 'ade20k_10.png').replace('img', 'other')),
      line(0, '2D/count/ade20k_10.png'),
      '{"idx": 4, "question"',
      line(5, '2D/count/ade20k_10.png', { choices: ['only one'] }),
      '',
    ].join('\n'),
  );
  writeFileSync(path.join(folder, 'test_3d.jsonl'), `${line(6, '2D/count/ade20k_11.png', { task: 'Depth' })}\n`);
  return folder;
}

/** LLaVA-Bench: questions.jsonl, answers_gpt4.jsonl and images/. */
export function writeLlavaBench(folder: string): string {
  copyPictures(path.join(folder, 'images'), ['001.jpg']);
  const file = path.join(folder, 'questions.jsonl');
  writeFileSync(
    file,
    [
      { question_id: 0, image: '001.jpg', text: 'What is in the picture?', category: 'conv' },
      { question_id: 1, image: '001.jpg', text: 'Describe this photo in detail.', category: 'detail' },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n'),
  );
  writeFileSync(
    path.join(folder, 'answers_gpt4.jsonl'),
    JSON.stringify({ question_id: 0, prompt: 'What is it?', answer_id: 'x', text: 'There are two cows and a sign.' }),
  );
  return file;
}

/** MMStar: mmstar.parquet, with the pictures' bytes as a column of bytes, or as the Hub's images. */
export async function writeMmstar(folder: string, images: 'bytes' | 'hub' = 'bytes'): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'mmstar.parquet');
  const rows = [
    [0, 'How many cows are in the picture?\nOptions: A: two, B: three, C: none, D: one', '000.png', 'A'],
    [
      1,
      'Which option describes the object relationship in the image correctly? Choices:\n(A) Nothing.\n(B) A cow.',
      '001.png',
      'B',
    ],
    [2, 'Is there a dog?', null, 'No'],
  ] as const;
  await withDatabase(async ({ connection }) => {
    await connection.run('CREATE TABLE t (index BIGINT, question VARCHAR, picture VARCHAR, answer VARCHAR)');
    for (const [index, question, picture, answer] of rows) {
      const hex = picture === null ? null : readFileSync(scene(picture)).toString('hex');
      await connection.run('INSERT INTO t VALUES ($index, $question, $hex, $answer)', { index, question, hex, answer });
    }
    const image = images === 'bytes' ? 'unhex(picture)' : "{'bytes': unhex(picture), 'path': NULL::VARCHAR}";
    await connection.run(
      `COPY (SELECT index, question, ${image} AS image, answer, 'coarse perception' AS category,
         'image scene and topic' AS l2_category, {'id': index, 'source': 'MMBench'} AS meta_info FROM t ORDER BY index)
       TO '${file}' (FORMAT parquet)`,
    );
  });
  return file;
}
