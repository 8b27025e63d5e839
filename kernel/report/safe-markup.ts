/** Markdown and HTML that others wrote, as HTML that cannot do anything. */
import MarkdownIt from 'markdown-it';
import hljs from 'highlight.js/lib/common';
import sanitize from 'sanitize-html';

/** Code with its syntax marked by classes. Unknown languages stay plain; all text is escaped. */
export function highlight(code: string, language: string): string {
  return hljs.getLanguage(language)
    ? hljs.highlight(code, { language, ignoreIllegals: true }).value
    : hljs.highlight(code, { language: 'plaintext' }).value;
}

const parser = new MarkdownIt({ html: true, linkify: false, highlight });

const INLINE_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$/;

/** Finds the picture that a name in a notebook stands for. @returns a data URL, or nothing */
export type PictureFinder = (source: string) => string | undefined;

/** Markup without scripts, handlers, styles, frames, forms, and anything that would be fetched. */
export function safeHtml(markup: string, find: PictureFinder = () => undefined): string {
  return sanitize(markup, {
    allowedTags: [...sanitize.defaults.allowedTags, 'img', 'details', 'summary', 'del', 'ins'],
    allowedAttributes: {
      a: ['href', 'title', 'rel'],
      img: ['src', 'alt', 'title', 'width', 'height'],
      th: ['colspan', 'rowspan', 'scope'],
      td: ['colspan', 'rowspan'],
      ol: ['start'],
    },
    allowedClasses: { span: ['hljs-*'], code: ['language-*'] },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowedSchemesByTag: { img: ['data'] },
    allowProtocolRelative: false,
    transformTags: {
      a: (tagName, attributes) => ({ tagName, attribs: { ...attributes, rel: 'noopener noreferrer' } }),
      img: (tagName, attributes) => {
        const source = attributes['src'] ?? '';
        const found = INLINE_IMAGE.test(source) ? source : find(source);
        const alt = attributes['alt'] ?? '';
        if (found !== undefined) return { tagName, attribs: { ...attributes, src: found, alt } };
        // A picture from elsewhere would have to be fetched; its description stands for it.
        return { tagName: 'em', attribs: {}, text: alt || 'picture' };
      },
    },
  });
}

/** Markdown as safe HTML. */
export function safeMarkdown(source: string, find?: PictureFinder): string {
  return safeHtml(parser.render(source), find);
}
