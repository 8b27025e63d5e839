import assert from 'node:assert/strict';
import { LensError } from '../../kernel/errors.ts';
import { ChatTemplate } from '../../kernel/model/chat-template.ts';

const special = { bos_token: '<s>', eos_token: '</s>' };

/** As in llava-hf/llava-1.5-7b-hf: content is a list of parts. */
const LLAVA =
  "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}" +
  "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}" +
  "{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}" +
  "{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}" +
  "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";

/** ChatML: content is a string. */
const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

describe('ChatTemplate', () => {
  it('renders content as a list of parts', () => {
    const template = new ChatTemplate(LLAVA, special, '<image>');
    assert.equal(template.prompt('What is it?'), 'USER: <image>\nWhat is it? ASSISTANT:');
    assert.equal(template.beforeAnswer('What is it?', 'A dog.'), ' ');
  });

  it('renders content as a string where the template wants one', () => {
    const template = new ChatTemplate(CHATML, special, '<image>');
    const prompt = '<|im_start|>user\n<image>\nWhat is it?<|im_end|>\n<|im_start|>assistant\n';
    assert.equal(template.prompt('What is it?'), prompt);
    assert.equal(template.beforeAnswer('What is it?', 'A dog.'), '');
  });

  it('gives the special tokens to the template', () => {
    const template = new ChatTemplate('{{ bos_token }}{{ messages[0].content }}{{ eos_token }}', special, '<image>');
    assert.equal(template.prompt('Hm?'), '<s><image>\nHm?</s>');
  });

  it('says what is wrong with a template', () => {
    const refused = (source: string, message: RegExp) =>
      assert.throws(
        () => new ChatTemplate(source, special, '<image>').prompt('Hm?'),
        (error: Error) => error instanceof LensError && message.test(error.message),
      );
    refused('{% for %}', /the chat template cannot be parsed: /);
    refused('no image here', /does not render a question about an image with <image> in it once/);
    refused("{{ raise_exception('images are not supported') }}", /does not render .*: .*images are not supported/);
  });
});
