/** What is seen now as a figure for a paper: an SVG whose text, marks, lines and curves stay vectors. */
import { createCurveChart } from './curves.ts';
import { largestSegmentRatio } from './answer-tokens.ts';
import { textLines, type Mark, type Ruler } from './text-lines.ts';
import { canvasOf, svgElement } from './element.ts';
import { drawContours, heatSize, paintLayers, type HeatLayer } from './heatmap.ts';
import { rampColours } from './legend.ts';
import { pictureSource, shownLayers } from './picture.ts';
import { segmentsOf } from './segments.ts';
import { selectedAt } from './selection.ts';
import type { ViewState } from './store.ts';
import { blendedPins, pinsOf, shownMap, type Panel } from './subject.ts';
import { figure, metricValue, scores, visibleToken } from './wording.ts';

const FONT = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const MARGIN = 24;
const GAP = 24;
const PICTURE = 320;
const TEXT = 420;
const SMALL = 150;
/** Longer side of the heat inside the figure, px. */
const HEAT = 768;

const INK = '#1f1d1a';
const MUTED = '#5f5a52';
const TINT = '#f0a020';
const AGAINST = '#7d97d6';
const MARK = '#9a5b00';
const COLOURS: Readonly<Record<string, string>> = {
  'var(--lens-deletion)': '#b0432c',
  'var(--lens-insertion)': '#17705a',
  'var(--paper)': '#ffffff',
};

/** Something drawn with its top left at the origin. */
interface Part {
  readonly width: number;
  readonly height: number;
  readonly element: SVGElement;
}

/** Characters that XML cannot hold, which hostile text may have. */
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

const clean = (text: string): string => text.replace(UNPRINTABLE, '\ufffd');

interface Words {
  readonly size: number;
  readonly width: number;
  readonly colour?: string;
  readonly weight?: number;
  readonly lineHeight?: number;
}

/** Draws a mark beneath its characters, given where they stand. */
type DrawMark = (x: number, baseline: number, width: number) => readonly SVGElement[];

/** Text broken into lines, with marks beneath some of it. */
function textPart(
  ruler: Ruler,
  text: string,
  { size, width, colour = INK, weight = 400, lineHeight = Math.round(size * 1.45) }: Words,
  marks: readonly Mark<DrawMark>[] = [],
): Part {
  const { runs, boxes, lines } = textLines(ruler, text, { width, font: `${weight} ${size}px ${FONT}`, marks });
  const baseline = (line: number): number => round((line + 0.7) * lineHeight);
  const element = svgElement(
    'g',
    { 'font-family': FONT, 'font-size': size, 'font-weight': weight, fill: colour },
    ...boxes.flatMap(({ mark, x, line, width: wide }) => mark(x, baseline(line), wide)),
    ...runs.map(({ text: words, x, line, width: wide, rightToLeft }) => {
      // Text that runs from right to left begins at its right edge.
      const start = rightToLeft ? { x: round(x + wide), direction: 'rtl' } : { x: round(x) };
      return svgElement('text', { ...start, y: baseline(line) }, clean(words));
    }),
  );
  return { width, height: lines.length * lineHeight, element };
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Parts under one another. */
function columnPart(parts: readonly Part[], gap: number): Part {
  const group = svgElement('g');
  let top = 0;
  for (const part of parts) {
    group.append(svgElement('g', { transform: `translate(0 ${round(top)})` }, part.element));
    top += part.height + gap;
  }
  return { width: Math.max(0, ...parts.map(({ width }) => width)), height: Math.max(top - gap, 0), element: group };
}

/** Parts beside one another. */
function rowPart(parts: readonly Part[], gap: number): Part {
  const group = svgElement('g');
  let left = 0;
  for (const part of parts) {
    group.append(svgElement('g', { transform: `translate(${round(left)} 0)` }, part.element));
    left += part.width + gap;
  }
  return { width: Math.max(left - gap, 0), height: Math.max(0, ...parts.map(({ height }) => height)), element: group };
}

/** The picture with maps over it: pixels where they are pixels, paths where they are lines. */
function picturePart({ image }: Panel, layers: readonly HeatLayer[], state: ViewState, side: number): Part {
  const shrink = Math.min(side / image.width, side / image.height);
  const [width, height] = [round(image.width * shrink), round(image.height * shrink)];
  const area = { width, height, preserveAspectRatio: 'none' };
  const group = svgElement('g');
  if (state.mode !== 'alone') group.append(svgElement('image', { ...area, href: pictureSource(image) }));
  if (layers.length > 0 && state.mode === 'contours') {
    group.append(svgElement('g', { transform: `scale(${width} ${height})` }, drawContours(layers, state)));
  } else if (layers.length > 0) {
    const { canvas, context } = canvasOf(...heatSize(image.width, image.height, HEAT));
    const pixels = context.createImageData(canvas.width, canvas.height);
    paintLayers(layers, { ...state, dark: false }, pixels);
    context.putImageData(pixels, 0, 0);
    group.append(svgElement('image', { ...area, href: canvas.toDataURL('image/png') }));
  }
  return { width, height, element: group };
}

let gradients = 0;

function legendPart(ruler: Ruler, panel: Panel, state: ViewState, width: number): Part {
  const pins = blendedPins(panel, state);
  if (pins.length > 0) {
    const names = pins.map(({ segment, colour }) => {
      const name = textPart(ruler, visibleToken(segment.text), { size: 12, width: width - 20 });
      const swatch = svgElement('rect', { y: 3, width: 12, height: 12, rx: 2, fill: colour });
      return rowPart([{ width: 12, height: 14, element: swatch }, name], 8);
    });
    return columnPart(names, 2);
  }
  const shown = shownMap(panel, state);
  if (!shown) return columnPart([], 0);
  const [low, high] = panel.scaleOf(shown.field, state);
  const id = `ramp-${gradients++}`;
  const colours = rampColours({ ...state, dark: false });
  const stops = colours.map((colour, at) => {
    const [r, g, b, a] = colour.match(/[\d.]+/g)!;
    return svgElement('stop', {
      offset: round(at / (colours.length - 1)),
      'stop-color': `rgb(${r},${g},${b})`,
      'stop-opacity': a,
    });
  });
  const ticks = [0, 0.5, 1].map((share) =>
    svgElement(
      'text',
      { x: share * width, y: 22, 'text-anchor': ['start', 'middle', 'end'][share * 2] },
      figure(low + (high - low) * share),
    ),
  );
  const bar = svgElement(
    'g',
    { 'font-family': FONT, 'font-size': 11, fill: MUTED },
    svgElement('linearGradient', { id }, ...stops),
    svgElement('rect', { width, height: 9, fill: `url(#${id})`, stroke: '#d8d3ca', 'stroke-width': 0.75 }),
    ...ticks,
  );
  const title = textPart(ruler, `Saliency for ${shown.subject}, by ${shown.method}`, {
    size: 12,
    width,
    colour: MUTED,
  });
  return columnPart([title, { width, height: 26, element: bar }], 4);
}

/** The answer with its segments tinted by their ratios, and underlined where selected. */
function answerPart(ruler: Ruler, panel: Panel, state: ViewState, width: number, size: number): Part {
  const { explanation } = panel;
  const { text } = explanation.answer;
  const largest = largestSegmentRatio(panel.document, state.segmentation);
  const selected = selectedAt(explanation.answer, state.alpha);
  const pins = new Map(pinsOf(panel, state).map(({ segment, colour }) => [segment, colour]));
  const marks = segmentsOf(explanation, state.segmentation).map((segment): Mark<DrawMark> => {
    const opacity = round(0.62 * Math.min(Math.abs(segment.llr) / largest, 1));
    const underlined = segment.tokens.some((token) => selected.has(token));
    const pin = pins.get(segment);
    const blank = segment.end - segment.start - text.slice(segment.start, segment.end).trimStart().length;
    return {
      start: segment.start + blank,
      end: segment.end,
      mark: (x, baseline, wide) => {
        const across = { x: round(x - 1), width: round(wide + 2) };
        const tint = svgElement('rect', {
          ...across,
          y: round(baseline - size),
          height: round(size * 1.3),
          rx: 2,
          fill: segment.llr < 0 ? AGAINST : TINT,
          'fill-opacity': opacity,
          ...(pin && { stroke: pin, 'stroke-width': 2 }),
        });
        const line = { ...across, y: round(baseline + size * 0.3), height: 2, fill: MARK };
        return underlined ? [tint, svgElement('rect', line)] : [tint];
      },
    };
  });
  return textPart(ruler, text, { size, width, lineHeight: Math.round(size * 1.75) }, marks);
}

function curvesPart(panel: Panel): Part | undefined {
  const drawn = createCurveChart(panel.explanation.curves);
  if (!drawn) return undefined;
  const [width, height] = [Number(drawn.getAttribute('width')), Number(drawn.getAttribute('height'))];
  drawn.setAttribute('font-family', FONT);
  drawn.setAttribute('font-size', '11');
  drawn.setAttribute('color', INK);
  drawn.removeAttribute('class');
  for (const part of drawn.querySelectorAll('*')) {
    for (const name of ['fill', 'stroke']) {
      const colour = COLOURS[part.getAttribute(name) ?? ''];
      if (colour) part.setAttribute(name, colour);
    }
  }
  return { width, height, element: drawn as SVGElement };
}

function scoresText(panel: Panel): string {
  return scores(panel.explanation)
    .map((metric) => `${metric.name} ${metricValue(metric)}`)
    .join('.   ');
}

function multiplesPart(ruler: Ruler, panel: Panel, state: ViewState): readonly Part[] {
  const pins = pinsOf(panel, state);
  if (pins.length < 2 || state.together === 'blend') return [];
  const each = pins.flatMap(({ segment, field }) => {
    if (!field) return [];
    const name = textPart(ruler, visibleToken(segment.text), { size: 13, width: SMALL, weight: 600 });
    const ratio = textPart(ruler, `LLR ${figure(segment.llr)}`, { size: 11, width: SMALL, colour: MUTED });
    const picture = picturePart(panel, [{ field, scale: panel.scaleOf(field, state) }], state, SMALL);
    return [columnPart([picture, columnPart([name, ratio], 0)], 4)];
  });
  const rows: Part[] = [];
  for (let at = 0; at < each.length; at += 5) rows.push(rowPart(each.slice(at, at + 5), 14));
  return rows;
}

function panelPart(ruler: Ruler, panel: Panel, state: ViewState, compared: boolean): Part {
  const { explanation } = panel;
  const picture = picturePart(panel, shownLayers(panel, state), state, PICTURE);
  const seen = columnPart([picture, legendPart(ruler, panel, state, picture.width)], 10);
  const width = compared ? PICTURE : TEXT;
  const told: Part[] = [
    textPart(ruler, explanation.question, { size: 13, width, colour: MUTED }),
    answerPart(ruler, panel, state, width, compared ? 15 : 19),
    textPart(ruler, scoresText(panel), { size: 12, width }),
  ];
  const curves = compared ? undefined : curvesPart(panel);
  if (curves) told.push(curves);
  const label = textPart(ruler, explanation.label, { size: 14, width, weight: 600 });
  return compared ? columnPart([label, seen, ...told], 10) : rowPart([seen, columnPart(told, 12)], GAP);
}

export interface Figure {
  /** SVG markup, complete by itself. */
  readonly markup: string;
  /** In px. */
  readonly width: number;
  readonly height: number;
}

/** Draws what the panels show now. */
export function drawFigure(panels: readonly Panel[], state: ViewState): Figure {
  const ruler = canvasOf(1, 1).context;
  const compared = panels.length > 1;
  const drawn = panels.map((panel) => panelPart(ruler, panel, state, compared));
  const rows: Part[] = [];
  for (let at = 0; at < drawn.length; at += 3) rows.push(rowPart(drawn.slice(at, at + 3), GAP));
  const body = columnPart([...rows, ...panels.flatMap((panel) => multiplesPart(ruler, panel, state))], GAP);
  const [width, height] = [Math.ceil(body.width + 2 * MARGIN), Math.ceil(body.height + 2 * MARGIN)];
  const svg = svgElement(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}` },
    svgElement('rect', { width, height, fill: '#ffffff' }),
    svgElement('g', { transform: `translate(${MARGIN} ${MARGIN})` }, body.element),
  );
  return { markup: new XMLSerializer().serializeToString(svg), width, height };
}
