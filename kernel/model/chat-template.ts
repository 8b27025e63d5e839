import { Template } from '@huggingface/jinja';
import { LensError } from '../errors.ts';
import type { TokenizerConfig } from './config.ts';

type Content = string | { type: string; text?: string }[];

/** Renders a model's chat template (Jinja) for one question about one image. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #special: Record<string, string>;
  readonly #imageToken: string;

  /** @param imageToken the placeholder's text in the rendered prompt, for instance '<image>' */
  constructor(source: string, config: TokenizerConfig, imageToken: string) {
    const { bos_token, eos_token, pad_token, unk_token } = config;
    const entries = Object.entries({ bos_token, eos_token, pad_token, unk_token });
    this.#special = Object.fromEntries(entries.map(([name, token]) => [name, token ?? '']));
    this.#imageToken = imageToken;
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new LensError(`the chat template cannot be parsed: ${(cause as Error).message}`, undefined, { cause });
    }
  }

  /** The prompt up to where the model's answer begins. Holds the image token exactly once. */
  prompt(question: string): string {
    const [prompt] = this.#render(question, undefined);
    return prompt;
  }

  /**
   * What the template writes between the prompt and an answer, usually nothing or one space: the text of a given answer
   * is tokenised after it, as the model would have written it.
   */
  beforeAnswer(question: string, answer: string): string {
    const [prompt, conversation] = this.#render(question, answer);
    const rest = conversation.startsWith(prompt) ? conversation.slice(prompt.length) : '';
    const at = rest.indexOf(answer);
    return at > 0 && rest.slice(0, at).trim() === '' ? rest.slice(0, at) : '';
  }

  /** Templates take a message's content as a list of parts or as a string; the first that keeps the image is right. */
  #render(question: string, answer: string | undefined): [prompt: string, conversation: string] {
    const parts: Content = [{ type: 'image' }, { type: 'text', text: question }];
    const attempts: { user: Content; assistant: (text: string) => Content }[] = [
      { user: parts, assistant: (text) => [{ type: 'text', text }] },
      { user: `${this.#imageToken}\n${question}`, assistant: (text) => text },
    ];
    let failure: unknown;
    for (const { user, assistant } of attempts) {
      try {
        const prompt = this.#run([{ role: 'user', content: user }], true);
        if (prompt.split(this.#imageToken).length !== 2) continue;
        if (answer === undefined) return [prompt, ''];
        const messages = [
          { role: 'user', content: user },
          { role: 'assistant', content: assistant(answer) },
        ];
        return [prompt, this.#run(messages, false)];
      } catch (cause) {
        failure = cause;
      }
    }
    const reason = failure instanceof Error ? `: ${failure.message}` : ` with ${this.#imageToken} in it once`;
    throw new LensError(`the chat template does not render a question about an image${reason}`, undefined, {
      cause: failure,
    });
  }

  #run(messages: { role: string; content: Content }[], addGenerationPrompt: boolean): string {
    return this.#template.render({ ...this.#special, messages, add_generation_prompt: addGenerationPrompt });
  }
}
