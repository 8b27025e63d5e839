import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { SCHEMA_VERSION, type LensDocument } from '../../kernel/document.ts';
import { mimeBundle } from '../../kernel/report/mime-bundle.ts';
import { readDocument } from '../../renderer/read-document.ts';

const FOLDER = path.resolve(import.meta.dirname, 'documents');

/** Documents as released versions wrote them: never edited, one added for each kind when the schema changes. */
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.json'));

const documents = await Promise.all(
  files.map(async (name) => ({
    name,
    value: JSON.parse(await readFile(path.join(FOLDER, name), 'utf8')) as unknown,
  })),
);

describe('documents of every version', () => {
  it('are all here: each kind in each version up to the present one', () => {
    const expected = Array.from({ length: SCHEMA_VERSION }, (_, at) =>
      ['comparison', 'explanation', 'selection'].map((kind) => `v${at + 1}-${kind}.json`),
    ).flat();
    assert.deepEqual(files.sort(), expected);
  });

  for (const { name, value } of documents) {
    it(`${name} is read, and everything that is made of it is made`, async () => {
      const document: LensDocument = readDocument(value);
      const [version, kind] = /^v(\d+)-(\w+)\.json$/.exec(name)!.slice(1);
      assert.equal(document.kind, kind);
      assert.equal((value as { schemaVersion: number }).schemaVersion, Number(version));
      const bundle = await mimeBundle(document);
      const { width } = await sharp(Buffer.from(bundle['image/png'] as string, 'base64')).metadata();
      assert.equal(width, 1520);
      for (const { question, answer } of document.explanations) {
        assert.ok((bundle['text/markdown'] as string).includes(question));
        for (const { text } of answer.tokens) assert.ok((bundle['text/markdown'] as string).includes(text.trim()));
      }
    });
  }

  it('keep what they say: nothing that version 1 wrote is lost in reading', () => {
    for (const { name, value } of documents.filter(({ name }) => name.startsWith('v1-'))) {
      assert.deepEqual(readDocument(value), value, name);
    }
  });
});
