/**
 * The card: an explanation as one picture that is complete by itself, for places that show no more than a PNG.
 * Drawn on any canvas, so that the kernel (for the notebook) and the view (to save it) make the same card.
 */
import type { Explanation, LensDocument, SaliencyMap } from '../kernel/document.ts';
import {
  column,
  grid,
  paragraph,
  row,
  type Block,
  type CardContext,
  type DrawMark,
  type TextStyle,
} from './card-layout.ts';
import { colourAt, heatOpacity, type HeatStyle } from './colour-maps.ts';
import { heatSize, paintLevels } from './heatmap.ts';
import { fieldOf, mainMap, ownScale, resample, sharedScale, tokenMap, type Scale } from './saliency.ts';
import type { Mark } from './text-lines.ts';
import { encoderLine, rightness } from './tables.ts';
import {
  AXIS_TITLES,
  NO_DEPENDENCE,
  figure,
  fixed,
  largestRatio,
  mapSubject,
  metricValue,
  noDependenceReason,
  isChosen,
  notesOf,
  scores,
  selectedTokens,
  visibleToken,
} from './wording.ts';

/** A canvas of the host's, with its context. */
export interface CardCanvas<C> {
  readonly canvas: C;
  readonly context: CardContext & Pick<CanvasRenderingContext2D, 'createImageData' | 'putImageData'>;
}

/** What the host brings: canvases, the decoded pictures of the document, and the names of fonts. */
export interface CardTools<C> {
  createCanvas(width: number, height: number): CardCanvas<C>;
  readonly pictures: readonly CanvasImageSource[];
  /** CSS font families. */
  readonly font: string;
  /** Device pixels per px, of the text and of the pictures: coarser pictures make a much smaller file. */
  readonly density: number;
  readonly pictureDensity: number;
  /** The most tokens whose maps are drawn by themselves. */
  readonly tokens: number;
  readonly style: HeatStyle;
  readonly scale: 'own' | 'shared';
}

/** Of the card, px. */
export const WIDTH = 760;
const MARGIN = 24;
const INNER = WIDTH - 2 * MARGIN;
const GAP = 16;
const PICTURE = 320;
const MULTIPLES = { perRow: 5, gap: 12 };

/** A card has an end, whatever a document holds: lines of one text, panels and pairs of a comparison. */
const MOST_LINES = 12;
const MOST_PANELS = 12;
const MOST_PAIRS = 24;

const INK = '#1f1d1a';
const MUTED = '#5f5a52';
const PAPER = '#fdfcfa';
const LINE = '#d8d3ca';
const AMBER = [240, 160, 30] as const;
const SLATE = [90, 120, 190] as const;

/** A word's colour. @param strength 0 … 1 */
function tinted(colour: readonly [number, number, number], strength: number): string {
  return `rgba(${colour.join(',')},${(0.55 * strength).toFixed(3)})`;
}

interface Pen<C> {
  readonly tools: CardTools<C>;
  readonly measure: CardContext;
  readonly document: LensDocument;
}

function textStyle(font: string, size: number, colour: string, weight = 400, lines?: number): TextStyle {
  return {
    font: `${weight} ${size}px ${font}`,
    colour,
    lineHeight: Math.round(size * 1.42),
    ...(lines ? { lines } : {}),
  };
}

function text<C>(
  { measure, tools }: Pen<C>,
  words: string,
  width: number,
  size: number,
  colour: string,
  weight = 400,
  lines = MOST_LINES,
): Block {
  return paragraph(measure, words, width, textStyle(tools.font, size, colour, weight, lines));
}

function scaleFor<C>({ document, tools }: Pen<C>, map: SaliencyMap): Scale {
  return tools.scale === 'shared' ? sharedScale(document) : ownScale(fieldOf(map));
}

/** The picture with a map over it, at most `width` wide and `tall` high. */
function heatedPicture<C>(
  pen: Pen<C>,
  explanation: Explanation,
  map: SaliencyMap | undefined,
  width: number,
  tall: number,
): Block {
  const { tools, document } = pen;
  const image = document.images[explanation.image]!;
  const shrink = Math.min(width / image.width, tall / image.height);
  const [wide, high] = [image.width * shrink, image.height * shrink];
  return {
    height: high,
    draw(context, x, y) {
      const left = x + (width - wide) / 2;
      const painted = tools.createCanvas(
        Math.round(wide * tools.pictureDensity),
        Math.round(high * tools.pictureDensity),
      );
      const area = [0, 0, wide * tools.pictureDensity, high * tools.pictureDensity] as const;
      painted.context.imageSmoothingQuality = 'high';
      painted.context.drawImage(tools.pictures[explanation.image]!, ...area);
      if (map) {
        const [columns, rows] = heatSize(image.width, image.height);
        const heat = tools.createCanvas(columns, rows);
        const pixels = heat.context.createImageData(columns, rows);
        paintLevels(resample(fieldOf(map), scaleFor(pen, map), columns, rows), tools.style, pixels.data);
        heat.context.putImageData(pixels, 0, 0);
        painted.context.drawImage(heat.canvas as CanvasImageSource, ...area);
      }
      // Pixels as they are: repeated ones cost a PNG next to nothing, smoothed ones cost as much as real ones.
      context.imageSmoothingEnabled = false;
      context.drawImage(painted.canvas as CanvasImageSource, left, y, wide, high);
      context.strokeStyle = LINE;
      context.lineWidth = 1;
      context.beginPath();
      context.roundRect(left, y, wide, high, 0);
      context.stroke();
    },
  };
}

/** The answer with its tokens marked: tinted by LLR, underlined where selected. */
function markedAnswer<C>(
  { measure, tools }: Pen<C>,
  { answer }: Explanation,
  width: number,
  size: number,
  largest: number,
): Block {
  const marks: Mark<DrawMark>[] = answer.tokens.map((token) => {
    // A token's own blanks are not coloured.
    const words = answer.text.slice(token.start, token.end);
    const start = token.start + (words.length - words.trimStart().length);
    const colour = tinted(token.llr < 0 ? SLATE : AMBER, Math.min(Math.abs(token.llr) / largest, 1));
    return {
      start,
      end: start + words.trim().length,
      mark(context, x, baseline, wide) {
        context.fillStyle = colour;
        context.fillRect(x, baseline - size, wide, size * 1.3);
        if (!token.selected) return;
        context.fillStyle = '#9a5b00';
        context.fillRect(x + 0.5, baseline + size * 0.3, wide - 1, 2);
      },
    };
  });
  const style = { font: `400 ${size}px ${tools.font}`, colour: INK, lineHeight: size * 1.7, lines: 16 };
  return paragraph(measure, answer.text, width, style, marks);
}

/** A bar of colours with figures beneath it. */
function scaleBar<C>(
  { tools }: Pen<C>,
  width: number,
  stops: readonly (readonly [share: number, colour: string])[],
  figures: readonly (readonly [share: number, text: string])[],
): Block {
  return {
    height: 30,
    draw(context, x, y) {
      const gradient = context.createLinearGradient(x, 0, x + width, 0);
      for (const [share, colour] of stops) gradient.addColorStop(share, colour);
      context.fillStyle = gradient;
      context.fillRect(x, y, width, 9);
      context.strokeStyle = LINE;
      context.lineWidth = 1;
      context.beginPath();
      context.roundRect(x, y, width, 9, 0);
      context.stroke();
      context.save();
      context.font = `400 11px ${tools.font}`;
      context.fillStyle = MUTED;
      for (const [share, words] of figures) {
        context.textAlign = share === 0 ? 'left' : share === 1 ? 'right' : 'center';
        context.fillText(words, x + width * share, y + 23);
      }
      context.restore();
    },
  };
}

/** The colours of the heat with the values that they stand for. */
function legend<C>(pen: Pen<C>, map: SaliencyMap, width: number, title: string): Block {
  const { style } = pen.tools;
  const [low, high] = scaleFor(pen, map);
  const stops = Array.from({ length: 25 }, (_, stop) => {
    const t = stop / 24;
    const alpha = Math.round(255 * heatOpacity(t, style))
      .toString(16)
      .padStart(2, '0');
    return [t, `${colourAt(style.colourMap, t)}${alpha}`] as const;
  });
  const figures = [0, 0.5, 1].map((share) => {
    const value = low + (high - low) * share;
    // Beside the range of the bar it is nothing.
    return [share, figure(Math.abs(value) < (high - low) / 1000 ? 0 : value)] as const;
  });
  return column([text(pen, title, width, 11, MUTED), scaleBar(pen, width, stops, figures)], 3);
}

/** What a word's colour and its line stand for. */
function tintLegend<C>(pen: Pen<C>, { answer }: Explanation, width: number): Block {
  const largest = largestRatio(pen.document);
  const lined = isChosen(answer) ? 'chosen to be explained' : `selected, above ${figure(answer.threshold)}`;
  const against = pen.document.explanations.some(({ answer: { tokens } }) =>
    tokens.some(({ llr }) => llr < -0.05 * largest),
  );
  const wide = Math.min(width, 220);
  const stops = against
    ? ([
        [0, tinted(SLATE, 1)],
        [0.5, tinted(SLATE, 0)],
        [0.5, tinted(AMBER, 0)],
        [1, tinted(AMBER, 1)],
      ] as const)
    : ([
        [0, tinted(AMBER, 0)],
        [1, tinted(AMBER, 1)],
      ] as const);
  const shares = against
    ? ([
        [0, -largest],
        [0.5, 0],
        [1, largest],
      ] as const)
    : ([
        [0, 0],
        [1, largest],
      ] as const);
  const title = `Colour: log-likelihood ratio, with against without the image. Underlined: ${lined}.`;
  return column(
    [
      text(pen, title, width, 11, MUTED),
      scaleBar(
        pen,
        wide,
        stops,
        shares.map(([at, value]) => [at, figure(value)]),
      ),
    ],
    4,
  );
}

function scoreLine(explanation: Explanation): string {
  const right = rightness(explanation);
  return [
    ...(right === '' ? [] : [`The answer is ${right}`]),
    ...scores(explanation).map(
      (metric) => `${metric.name} ${metricValue(metric)}${metric.better ? `, ${metric.better} is better` : ''}`,
    ),
    encoderLine(explanation),
  ]
    .filter((part) => part !== '')
    .join('.   ');
}

function methodLine({ maps, provenance }: Explanation): string {
  return maps[0]?.method ?? provenance.method;
}

/** One explanation: the picture beside the answer, then the strongest tokens' maps. */
function single<C>(pen: Pen<C>, explanation: Explanation): readonly Block[] {
  const main = mainMap(explanation);
  const right = INNER - PICTURE - GAP * 1.5;
  const told: Block[] = [
    text(pen, explanation.question, right, 13, MUTED, 400, 4),
    markedAnswer(pen, explanation, right, 19, largestRatio(pen.document)),
  ];
  if (!explanation.dependsOnImage) {
    told.push(
      text(pen, NO_DEPENDENCE, right, 14, INK, 600),
      text(pen, noDependenceReason(explanation), right, 12, MUTED),
    );
  }
  const results = scoreLine(explanation);
  if (results) told.push(text(pen, results, right, 12, INK));
  const notes = notesOf(explanation);
  if (notes.length > 0) told.push(text(pen, notes.join(' '), right, 12, INK));
  told.push(tintLegend(pen, explanation, right));
  const seen = [heatedPicture(pen, explanation, main, PICTURE, PICTURE)];
  if (main) seen.push(legend(pen, main, PICTURE, `Saliency for ${mapSubject(main)}, by ${main.method}`));
  const blocks: Block[] = [
    row(
      [
        [PICTURE, column(seen, 10)],
        [right, column(told, 12)],
      ],
      GAP * 1.5,
    ),
  ];
  const multiples = selectedTokens(explanation)
    .flatMap(({ token, index }) => {
      const map = tokenMap(explanation, index);
      return map && explanation.maps.length > 1 ? [{ token, map }] : [];
    })
    .slice(0, pen.tools.tokens)
    .map(({ token, map }) => {
      const width = (INNER - MULTIPLES.gap * (MULTIPLES.perRow - 1)) / MULTIPLES.perRow;
      return column(
        [
          heatedPicture(pen, explanation, map, width, width),
          column(
            [
              text(pen, visibleToken(token.text), width, 13, INK, 600, 1),
              text(pen, `LLR ${figure(token.llr)}`, width, 11, MUTED),
            ],
            0,
          ),
        ],
        4,
      );
    });
  // Of one token the large map is its own.
  if (multiples.length > 0 && selectedTokens(explanation).length > 1) {
    blocks.push(
      grid(
        multiples,
        (INNER - MULTIPLES.gap * (MULTIPLES.perRow - 1)) / MULTIPLES.perRow,
        MULTIPLES.perRow,
        MULTIPLES.gap,
      ),
    );
  }
  return blocks;
}

/** A comparison: a panel for each explanation, then how much they agree. */
function several<C>(pen: Pen<C>): readonly Block[] {
  const { document } = pen;
  const shown = document.explanations.slice(0, MOST_PANELS);
  const perRow = Math.min(Math.max(shown.length, 1), 3);
  const width = (INNER - GAP * (perRow - 1)) / perRow;
  const panels = shown.map((explanation) => {
    const main = mainMap(explanation);
    const parts: Block[] = [
      text(pen, explanation.label, width, 13, INK, 600, 2),
      heatedPicture(pen, explanation, main, width, width),
    ];
    if (main) parts.push(legend(pen, main, width, `Saliency (${methodLine(explanation)})`));
    if (explanation.label !== explanation.question)
      parts.push(text(pen, explanation.question, width, 11, MUTED, 400, 3));
    parts.push(markedAnswer(pen, explanation, width, 14, largestRatio(document)));
    if (!explanation.dependsOnImage) parts.push(text(pen, NO_DEPENDENCE, width, 12, INK, 600));
    const notes = notesOf(explanation);
    if (notes.length > 0) parts.push(text(pen, notes.join(' '), width, 11, MUTED));
    const results = scoreLine(explanation);
    if (results) parts.push(text(pen, results, width, 11, MUTED));
    return column(parts, 8);
  });
  const title = document.axis ? AXIS_TITLES[document.axis] : 'Comparison';
  const left = [
    [document.explanations.length, MOST_PANELS, 'explanations'],
    [document.agreement?.length ?? 0, MOST_PAIRS, 'pairs'],
  ] as const;
  const pairs = (document.agreement ?? [])
    .slice(0, MOST_PAIRS)
    .map(({ a, b, rankCorrelation, iouTop20, earthMovers }) =>
      text(
        pen,
        `${document.explanations[a]!.label} / ${document.explanations[b]!.label}: rank correlation ${fixed(rankCorrelation)}, ` +
          `overlap of the top 20 % ${fixed(iouTop20)}` +
          (earthMovers === undefined ? '' : `, earth mover’s distance ${fixed(earthMovers)}`),
        INNER,
        12,
        INK,
        400,
        2,
      ),
    );
  return [
    text(pen, title, INNER, 16, INK, 600),
    grid(panels, width, perRow, GAP),
    ...(shown[0] ? [tintLegend(pen, shown[0], INNER)] : []),
    ...(pairs.length > 0 ? [column(pairs, 2)] : []),
    ...left
      .filter(([all, most]) => all > most)
      .map(([all, most, what]) => text(pen, `${all - most} more ${what} are in the document.`, INNER, 12, MUTED)),
  ];
}

function footer({ document: { explanations } }: Pen<unknown>): string {
  const models = [...new Set(explanations.map(({ model }) => model.id))].join(', ');
  const methods = [...new Set(explanations.map(methodLine))].join(', ');
  const version = explanations[0]?.provenance.versions['lvlm-lens'];
  return [`model ${models}`, `method ${methods}`, `LVLM Lens${version ? ` ${version}` : ''}`].join('  ·  ');
}

/** Draws a document's card. @returns a canvas of WIDTH · density px by as many as it needs */
export function drawCard<C>(document: LensDocument, tools: CardTools<C>): C {
  const pen: Pen<C> = { tools, document, measure: tools.createCanvas(1, 1).context };
  const [first] = document.explanations;
  const body = document.kind === 'comparison' || !first ? several(pen) : single(pen, first);
  const content = column([...body, text(pen, footer(pen), INNER, 11, MUTED, 400, 2)], GAP);
  const height = Math.ceil(content.height + 2 * MARGIN);
  const { canvas, context } = tools.createCanvas(WIDTH * tools.density, height * tools.density);
  context.scale(tools.density, tools.density);
  // Its own paper and edge: legible on light and on dark surroundings alike.
  context.fillStyle = PAPER;
  context.fillRect(0, 0, WIDTH, height);
  context.strokeStyle = LINE;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(0.5, 0.5, WIDTH - 1, height - 1, 0);
  context.stroke();
  content.draw(context, MARGIN, MARGIN);
  return canvas;
}
