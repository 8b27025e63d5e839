import { LensError } from '../errors.ts';
import { ChatTemplate } from './chat-template.ts';
import type { Family } from './families.ts';
import type { ModelFiles } from './files.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** A prompt around the image: the ids before its features and those after. */
export interface Prompt {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Makes prompts and answers into token ids as the model was trained to see them. */
export class Prompter {
  readonly #tokenizer: TextTokenizer;
  readonly #template: ChatTemplate;
  readonly #imageId: number;
  readonly #contextLength: number;
  readonly #imageTokens: number;

  /**
   * @param imageTokens how many tokens the image takes
   * @throws LensError where config.json names no image token, or one that the tokenizer has not
   */
  constructor(
    files: ModelFiles,
    family: Family,
    tokenizer: TextTokenizer,
    { contextLength, imageTokens }: { readonly contextLength: number; readonly imageTokens: number },
  ) {
    const id = family.imageToken(files.config);
    const token = id === undefined ? undefined : tokenizer.tokenOf(id);
    if (id === undefined || token === undefined) {
      throw new LensError(
        `the model in "${files.folder}" has no image token${id === undefined ? '' : ` ${id}`}`,
        'config.json and tokenizer.json must be of the same model',
      );
    }
    this.#tokenizer = tokenizer;
    this.#imageId = id;
    this.#template = new ChatTemplate(files.chatTemplate, files.tokenizerConfig, token);
    this.#contextLength = contextLength;
    this.#imageTokens = imageTokens;
  }

  /** @throws LensError for a question that is empty, too long, or holds a special token */
  prompt(question: string): Prompt {
    const text = this.#checked(question, 'question');
    const ids = this.#tokenizer.encode(this.#template.prompt(text));
    const at = ids.indexOf(this.#imageId);
    const prompt = { before: ids.slice(0, at), after: ids.slice(at + 1) };
    if (this.room(prompt) < 1) {
      throw new LensError(
        `the question is too long: with the image it takes ${this.#contextLength - this.room(prompt)} tokens, ` +
          `and the model holds ${this.#contextLength} together with the answer`,
        'Ask a shorter question',
      );
    }
    return prompt;
  }

  /** How many tokens of an answer the context has room for. */
  room({ before, after }: Prompt): number {
    return this.#contextLength - before.length - this.#imageTokens - after.length;
  }

  /** Ids of an answer's text, in the place where the model would write it. */
  answer(text: string, question = 'What is this?'): number[] {
    const answer = this.#checked(text, 'answer');
    const prompt = this.#template.prompt(question);
    const continued = this.#template.beforeAnswer(question, answer) + answer;
    // Tokenised together, a word may merge with what stands before it; alone, some tokenizers add a space of their own.
    const before = this.#tokenizer.encode(prompt);
    const whole = this.#tokenizer.encode(prompt + continued);
    const kept = before.every((id, i) => whole[i] === id);
    return kept ? whole.slice(before.length) : this.#tokenizer.encode(continued);
  }

  /** @throws LensError where an answer does not fit the context */
  checkRoom(prompt: Prompt, answerTokens: number): void {
    const room = this.room(prompt);
    if (answerTokens <= room) return;
    throw new LensError(
      `the answer is too long: it has ${answerTokens} tokens, and the context has room for ${room}`,
      'Give a shorter answer or ask a shorter question',
    );
  }

  #checked(text: string, what: 'question' | 'answer'): string {
    if (typeof text !== 'string') throw new LensError(`the ${what} is ${typeof text}`, 'Give a string');
    const trimmed = text.trim();
    if (trimmed === '')
      throw new LensError(`the ${what} is empty`, what === 'question' ? 'Ask something' : 'Give a text');
    const special = this.#tokenizer.specialTokens().find((token) => token !== '' && trimmed.includes(token));
    if (special !== undefined) {
      throw new LensError(`the ${what} holds '${special}', which has a meaning of its own to this model`, 'Remove it');
    }
    return trimmed;
  }
}
