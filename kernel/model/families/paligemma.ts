import type { Family } from '../family.ts';
import { counted } from '../sequence.ts';
import { oneView } from './one-view.ts';

/**
 * PaliGemma and PaliGemma 2: one view, whose tokens come first; then the beginning of the text, the prompt as it is typed
 * ("answer en what is this?", "caption en"), and a line end. In the prompt every token sees every other.
 */
export const paligemma: Family = {
  imageToken: (config) => config.image_token_index ?? config.image_token_id,
  chatTemplate:
    "{% for message in messages %}{% for part in message['content'] %}" +
    "{% if part['type'] == 'image' %}{{ '<image>' + bos_token }}{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}" +
    "{% endfor %}{% if message['role'] == 'user' %}{{ '\\n' }}{% endif %}{% endfor %}",
  vision: (site) => oneView(site),
  positions: ({ ids }) => counted(ids.length, 1),
  promptSeesItself: true,
};
