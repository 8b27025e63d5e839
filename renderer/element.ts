/** Makes elements. Text always becomes a text node: nothing here, or anywhere in the view, parses markup. */
type Child = Node | string | null | undefined;

interface Properties {
  readonly class?: string;
  /** Custom properties and styles, set through CSSOM: a `style` attribute would need 'unsafe-inline'. */
  readonly style?: Readonly<Record<string, string>>;
  readonly [attribute: string]: unknown;
}

/** An element with attributes and children; `true` is an empty attribute, `false` and `undefined` none. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { style, ...attributes }: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, value] of Object.entries(style ?? {})) made.style.setProperty(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** The same for a drawing's elements. */
export function svgElement<K extends keyof SVGElementTagNameMap>(
  tag: K,
  { style, ...attributes }: Properties = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries(style ?? {})) made.style.setProperty(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A canvas with its context. */
export function canvasOf(width: number, height: number) {
  const canvas = element('canvas', { width, height });
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas to draw on');
  return { canvas, context };
}

/** Does what can wait once the first frame with the rest is painted, unless the view is gone by then. */
export function afterPaint(act: () => void, signal: AbortSignal): void {
  // A second frame begins when the first one has been painted.
  let frame = requestAnimationFrame(() => (frame = requestAnimationFrame(act)));
  signal.addEventListener('abort', () => cancelAnimationFrame(frame));
}
