import { Tokenizer } from '@huggingface/tokenizers';
import { LensError } from '../errors.ts';
import type { ModelFiles } from './files.ts';
import type { TokenisedText, TokenSpan } from './loaded-model.ts';

/** What ends up in a text where bytes are not (yet) a character. */
const REPLACEMENT = '\uFFFD';

/** A model's tokenizer: text to ids, and ids to text with the place of every token in it. */
export class TextTokenizer {
  readonly #tokenizer: Tokenizer;
  /** The token that begins every text, if any. */
  readonly #first: string;

  /** @throws LensError where `tokenizer.json` is of a kind that cannot be read */
  constructor({ folder, tokenizer, tokenizerConfig }: Pick<ModelFiles, 'folder' | 'tokenizer' | 'tokenizerConfig'>) {
    this.#first = tokenizerConfig.bos_token ?? '';
    try {
      this.#tokenizer = new Tokenizer(tokenizer, tokenizerConfig);
    } catch (cause) {
      throw new LensError(
        `cannot use tokenizer.json in "${folder}": ${(cause as Error).message}`,
        'Download it again; it must be of the format of Hugging Face tokenizers',
        { cause },
      );
    }
  }

  /** Ids of a text as it stands: nothing is added; special tokens written in it are recognised. */
  encode(text: string): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /** Ids of a whole prompt: where the tokenizer puts a token before every text and the prompt does not hold it yet, it is put there. */
  encodePrompt(prompt: string): number[] {
    const written = this.#first !== '' && prompt.includes(this.#first);
    return this.#tokenizer.encode(prompt, { add_special_tokens: !written }).ids;
  }

  /** Text of an id as the vocabulary has it, for instance '<image>'. */
  tokenOf(id: number): string | undefined {
    return this.#tokenizer.id_to_token(id);
  }

  /** Texts of all special tokens. */
  specialTokens(): string[] {
    return [...this.#tokenizer.get_added_tokens_decoder().values()]
      .filter((token) => token.special)
      .map((t) => t.content);
  }

  /**
   * The text of ids, without leading and trailing white space, and each token's span in it. The spans tile the text: a
   * word's first token usually begins with the space before it. A token is given what the text gains when the token comes
   * after those before it, so where tokens hold parts of one character's bytes, the last of them gets the character.
   */
  spans(ids: readonly number[]): TokenisedText {
    const whole = this.#decode(ids);
    const lead = whole.length - whole.trimStart().length;
    const text = whole.trim();
    const tokens: TokenSpan[] = [];
    let start = 0;
    ids.forEach((id, i) => {
      const reached = i === ids.length - 1 ? whole.length : settled(this.#decode(ids.slice(0, i + 1)), whole);
      const end = Math.min(Math.max(reached - lead, start), text.length);
      tokens.push({ id, text: text.slice(start, end), start, end });
      start = end;
    });
    return { text, tokens };
  }

  #decode(ids: readonly number[]): string {
    // The library fails on an empty list.
    return ids.length === 0 ? '' : this.#tokenizer.decode([...ids], { skip_special_tokens: true });
  }
}

/** How much of the beginning of `whole` is there in `part` already; a character of which bytes are missing is not. */
function settled(part: string, whole: string): number {
  let end = part.length;
  while (end > 0 && part[end - 1] === REPLACEMENT) end--;
  let common = 0;
  while (common < end && common < whole.length && part[common] === whole[common]) common++;
  // Never between the two halves of a surrogate pair.
  const last = whole.charCodeAt(common - 1);
  return common > 0 && last >= 0xd800 && last < 0xdc00 ? common - 1 : common;
}
