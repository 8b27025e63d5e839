/** The renderer as JupyterLab's registry takes it. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Widget } from '@lumino/widgets';
import { MIME_TYPE } from '../../kernel/document.ts';
import { element } from '../element.ts';
import { InvalidDocument, readDocument } from '../read-document.ts';
import { mountView } from '../view.ts';

const PICTURE = 'image/png';

/** The card that the same output holds: shown where its document cannot be. */
function cardOf(data: IRenderMime.IMimeModel['data']): HTMLElement | null {
  const base64 = data[PICTURE];
  if (typeof base64 !== 'string') return null;
  return element('img', { src: `data:${PICTURE};base64,${base64}`, alt: 'The explanation as a picture' });
}

/** @param Base Lumino's Widget as JupyterLab shares it: its layouts take no other */
export function mimeExtension(Base: typeof Widget): IRenderMime.IExtension {
  class LensWidget extends Base implements IRenderMime.IRenderer {
    #unmount: (() => void) | undefined;

    constructor() {
      // The view has keys of its own: an arrow within it must not choose another cell, nor Enter edit one.
      const node = element('div', { class: 'lvlm-lens', 'data-lm-suppress-shortcuts': 'true' });
      // JupyterLab makes outputs scroll, and a region that scrolls has to be reached by keyboard. The view fits any width.
      node.style.overflow = 'visible';
      super({ node });
    }

    async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
      this.#unmount?.();
      this.#unmount = undefined;
      const place = element('div');
      this.node.replaceChildren(place);
      try {
        this.#unmount = mountView(place, readDocument(data[MIME_TYPE]));
      } catch (error) {
        if (!(error instanceof InvalidDocument)) throw error;
        const note = element('p', { role: 'alert' }, `LVLM Lens cannot draw this output: ${error.message}`);
        this.node.replaceChildren(...[note, cardOf(data)].filter((part) => part !== null));
      }
    }

    override dispose(): void {
      this.#unmount?.();
      this.#unmount = undefined;
      super.dispose();
    }
  }

  return {
    id: 'lvlm-lens:renderer',
    description: 'Shows where a vision-language model looks when it answers.',
    rendererFactory: {
      // Of a notebook that is not trusted too: a document is data, is checked, and none of it becomes markup.
      safe: true,
      mimeTypes: [MIME_TYPE],
      createRenderer: () => new LensWidget(),
    },
    // Before HTML, Markdown and pictures, which start at 50.
    rank: 0,
    dataType: 'json',
  };
}
