import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LensError } from '../../kernel/errors.ts';
import { embeddedFolder } from '../../kernel/model/embedded.ts';
import { TextTokenizer } from '../../kernel/model/tokenizer.ts';

const folder = embeddedFolder('pocket')!;
const json = (name: string) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Record<string, unknown>;

/** Byte-level BPE, as in pocket, GPT-2 or Qwen. */
const byteLevel = new TextTokenizer({
  folder,
  tokenizer: json('tokenizer.json'),
  tokenizerConfig: json('tokenizer_config.json'),
});

/** Llama's kind: words begin with '▁', and what the vocabulary lacks is spelt in bytes. */
const metaspace = () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const pieces = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 'd', 'o', 'g', 'do', 'dog', '▁a', '▁dog', '▁do', '.'];
  const special = (id: number, content: string) => ({ id, content, special: true });
  return new TextTokenizer({
    folder: 'llama',
    tokenizer: {
      added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      pre_tokenizer: null,
      post_processor: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        fuse_unk: true,
        byte_fallback: true,
        vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
        merges: ['d o', 'do g', '▁ a', '▁ dog', '▁ do'],
      },
    },
    tokenizerConfig: { clean_up_tokenization_spaces: false },
  });
};

/** With the u flag, a pair is one character and only a lone half matches. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const KINDS = { 'byte-level BPE': byteLevel, 'metaspace with byte fallback': metaspace() };

describe('TextTokenizer', () => {
  for (const [kind, tokenizer] of Object.entries(KINDS)) {
    describe(kind, () => {
      const texts = ['a dog.', 'a 🦊 dog', '👩‍👩‍👧🏽', 'Grüße aus 日本語', '🦊🦊', 'ok\u0000', '“dog” — a…', 'נקודה'];
      for (const text of texts) {
        it(`gives spans that tile the text: ${JSON.stringify(text)}`, () => {
          const spans = tokenizer.spans(tokenizer.encode(text));
          assert.equal(spans.text, text);
          let end = 0;
          for (const token of spans.tokens) {
            assert.equal(token.start, end);
            assert.equal(token.text, text.slice(token.start, token.end));
            // Never half of a surrogate pair, never a replacement for bytes.
            assert.doesNotMatch(token.text, LONE_SURROGATE);
            assert.ok(!token.text.includes('\uFFFD'));
            end = token.end;
          }
          assert.equal(end, text.length);
        });
      }

      it('gives a character to the last of its tokens', () => {
        const { tokens } = tokenizer.spans(tokenizer.encode('a🦊'));
        const fox = tokens.filter((token) => token.text.includes('🦊'));
        assert.equal(fox.length, 1);
        assert.equal(fox[0], tokens.at(-1));
        assert.ok(tokens.length > 3, 'the fox takes several tokens');
      });

      it('cuts white space off at both ends, and keeps spans inside', () => {
        const ids = [...tokenizer.encode(' dog'), ...tokenizer.encode(' ')];
        const { text, tokens } = tokenizer.spans(ids);
        assert.equal(text, 'dog');
        assert.equal(tokens.map((token) => token.text).join(''), 'dog');
        assert.deepEqual([tokens[0]!.start, tokens.at(-1)!.end], [0, 3]);
      });

      it('shows bytes that are no character, and loses none', () => {
        const ids = tokenizer.encode('a🦊').slice(0, -1);
        const { text, tokens } = tokenizer.spans(ids);
        assert.match(text, /^a\uFFFD+$/);
        assert.equal(tokens.map((token) => token.text).join(''), text);
      });
    });
  }

  it('gives words their own spans', () => {
    const { tokens } = byteLevel.spans(byteLevel.encode(' A dog is left of the cat.'));
    assert.deepEqual(
      tokens.map((token) => token.text),
      ['A', ' dog', ' is', ' left', ' of', ' the', ' cat', '.'],
    );
    assert.deepEqual([tokens[6]!.start, tokens[6]!.end], [20, 24]);
  });

  it('recognises special tokens and leaves them out of the text', () => {
    const ids = byteLevel.encode('<bos>dog<eos>');
    assert.deepEqual([ids[0], ids.at(-1)], [1, 2]);
    assert.equal(byteLevel.spans(ids).text, 'dog');
    assert.ok(byteLevel.specialTokens().includes('<image>'));
    assert.equal(byteLevel.tokenOf(4), '<image>');
    assert.equal(byteLevel.tokenOf(1e6), undefined);
  });

  it('has no text and no tokens for nothing', () => {
    assert.deepEqual(byteLevel.spans([]), { text: '', tokens: [] });
  });

  it('says which folder has a tokenizer that cannot be used', () => {
    const broken = { folder: 'some/model', tokenizer: { model: { type: 'Nonsense' } }, tokenizerConfig: {} };
    assert.throws(
      () => new TextTokenizer(broken),
      (error: Error) => error instanceof LensError && /cannot use tokenizer\.json in "some\/model"/.test(error.message),
    );
  });
});
