/** The stand-alone page: draws every document that is embedded in it. */
import { MIME_TYPE } from '../kernel/document.ts';
import { element } from './element.ts';
import { readDocument } from './read-document.ts';
import { mountView } from './view.ts';

/** Puts a view in the place of each embedded document. What cannot be drawn says so, and leaves the rest alone. */
export function mountPage(): void {
  for (const block of document.querySelectorAll(`script[type="${MIME_TYPE}"]`)) {
    const host = element('div', { class: 'lvlm-lens' });
    block.after(host);
    try {
      mountView(host, readDocument(JSON.parse(block.textContent)));
    } catch (error) {
      host.append(element('p', { role: 'alert' }, error instanceof Error ? error.message : String(error)));
    }
  }
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', mountPage);
else mountPage();
