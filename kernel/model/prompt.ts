import { LensError } from '../errors.ts';
import { ChatTemplate } from './chat-template.ts';
import type { ModelFiles } from './files.ts';
import type { Prompt } from './sequence.ts';
import type { TextTokenizer } from './tokenizer.ts';
import type { VisionPlan } from './vision-plan.ts';

/** Where a picture goes in a prompt. */
export interface PictureMark {
  /** The token in whose places the features stand. */
  readonly id: number;
  /** What the rendered chat template has there before the picture's placeholder is put in. */
  readonly text: string;
}

/** Makes prompts and answers into token ids as the model was trained to see them. */
export class Prompter {
  readonly #tokenizer: TextTokenizer;
  readonly #template: ChatTemplate;
  readonly #mark: PictureMark;
  readonly #contextLength: number;

  constructor(files: ModelFiles, tokenizer: TextTokenizer, mark: PictureMark, contextLength: number) {
    this.#tokenizer = tokenizer;
    this.#mark = mark;
    this.#template = new ChatTemplate(files.chatTemplate, files.tokenizerConfig, mark.text);
    this.#contextLength = contextLength;
  }

  /** @throws LensError for a question that is empty, too long, or holds a special token */
  prompt(question: string, { placeholder, rows }: VisionPlan): Prompt {
    const text = this.#checked(question, 'question');
    const [before, after] = this.#template.prompt(text).split(this.#mark.text) as [string, string];
    const ids = this.#tokenizer.encodePrompt(before + placeholder + after);
    const imagePositions = ids.flatMap((id, i) => (id === this.#mark.id ? [i] : []));
    if (imagePositions.length !== rows) {
      throw new LensError(
        `the picture takes ${imagePositions.length} tokens of the prompt and has ${rows} features`,
        'tokenizer.json and preprocessor_config.json must be of the same model',
      );
    }
    const prompt = { ids, imagePositions };
    if (this.room(prompt) < 1) {
      throw new LensError(
        `the question is too long: with the image it takes ${ids.length} tokens, ` +
          `and the model holds ${this.#contextLength} together with the answer`,
        'Ask a shorter question',
      );
    }
    return prompt;
  }

  /** How many tokens of an answer the context has room for. */
  room({ ids }: Prompt): number {
    return this.#contextLength - ids.length;
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
