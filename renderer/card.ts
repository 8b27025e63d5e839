/**
 * The card: an explanation as one picture that is complete by itself, for places that show no more than a PNG.
 * Drawn on any canvas, so that the kernel (for the notebook) and the view (to save it) make the same card.
 */
import type { Explanation, LensDocument, SaliencyMap } from '../kernel/document.ts';
import {
  column,
  flow,
  grid,
  paragraph,
  row,
  splitBlanks,
  type Block,
  type CardContext,
  type Piece,
  type TextStyle,
} from './card-layout.ts';
import { colourAt, heatOpacity, type HeatStyle } from './colour-maps.ts';
import { heatSize, paintLevels } from './heatmap.ts';
import { fieldOf, mainMap, ownScale, resample, sharedScale, tokenMap, type Scale } from './saliency.ts';
import {
  AXIS_TITLES,
  NO_DEPENDENCE,
  figure,
  fixed,
  largestRatio,
  mapSubject,
  metricValue,
  noDependenceReason,
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

const WIDTH = 760;
const MARGIN = 24;
const INNER = WIDTH - 2 * MARGIN;
const GAP = 16;
const PICTURE = 320;
const MULTIPLES = { perRow: 5, gap: 12 };

const INK = '#1f1d1a';
const MUTED = '#5f5a52';
const PAPER = '#fdfcfa';
const LINE = '#d8d3ca';
const AMBER = [240, 160, 30] as const;
const SLATE = [90, 120, 190] as const;

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
  lines?: number,
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
  const pieces: Piece[] = [];
  let written = 0;
  for (const token of answer.tokens) {
    const start = Math.max(token.start, written);
    pieces.push(...splitBlanks(answer.text.slice(written, start)));
    const tint = token.llr < 0 ? SLATE : AMBER;
    const strength = 0.55 * Math.min(Math.abs(token.llr) / largest, 1);
    pieces.push(
      ...splitBlanks(answer.text.slice(start, token.end), (context, x, baseline, wide) => {
        context.fillStyle = `rgba(${tint.join(',')},${strength.toFixed(3)})`;
        context.fillRect(x - 1, baseline - size, wide + 2, size * 1.3);
        if (!token.selected) return;
        context.fillStyle = '#9a5b00';
        context.fillRect(x - 1, baseline + size * 0.3, wide + 2, 2);
      }),
    );
    written = Math.max(written, token.end);
  }
  pieces.push(...splitBlanks(answer.text.slice(written)));
  return flow(measure, pieces, width, {
    font: `400 ${size}px ${tools.font}`,
    colour: INK,
    lineHeight: size * 1.7,
    lines: 16,
  });
}

/** The colours with the values that they stand for. */
function legend<C>(pen: Pen<C>, map: SaliencyMap, width: number, title: string): Block {
  const { tools } = pen;
  const [low, high] = scaleFor(pen, map);
  const bar: Block = {
    height: 30,
    draw(context, x, y) {
      const gradient = context.createLinearGradient(x, 0, x + width, 0);
      for (let stop = 0; stop <= 24; stop++) {
        const t = stop / 24;
        const alpha = Math.round(255 * heatOpacity(t, tools.style))
          .toString(16)
          .padStart(2, '0');
        gradient.addColorStop(t, `${colourAt(tools.style.colourMap, t)}${alpha}`);
      }
      context.fillStyle = gradient;
      context.fillRect(x, y, width, 9);
      context.strokeStyle = LINE;
      context.lineWidth = 1;
      context.beginPath();
      context.roundRect(x, y, width, 9, 0);
      context.stroke();
      context.font = `400 11px ${tools.font}`;
      context.fillStyle = MUTED;
      context.save();
      for (const [share, align] of [
        [0, 'left'],
        [0.5, 'center'],
        [1, 'right'],
      ] as const) {
        context.textAlign = align;
        context.fillText(figure(low + (high - low) * share), x + width * share, y + 23);
      }
      context.restore();
    },
  };
  return column([text(pen, title, width, 11, MUTED), bar], 3);
}

function scoreLine(explanation: Explanation): string {
  return scores(explanation)
    .map((metric) => `${metric.name} ${metricValue(metric)}${metric.better ? `, ${metric.better} is better` : ''}`)
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
  told.push(
    text(
      pen,
      `Tint: log-likelihood ratio with and without the image, up to ${figure(largestRatio(pen.document))}. Underlined: selected, above ${figure(explanation.answer.threshold)}.`,
      right,
      11,
      MUTED,
    ),
  );
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
  if (multiples.length > 0) {
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
  const perRow = Math.min(Math.max(document.explanations.length, 1), 3);
  const width = (INNER - GAP * (perRow - 1)) / perRow;
  const panels = document.explanations.map((explanation) => {
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
    const results = scoreLine(explanation);
    if (results) parts.push(text(pen, results, width, 11, MUTED));
    return column(parts, 8);
  });
  const title = document.axis ? AXIS_TITLES[document.axis] : 'Comparison';
  const pairs = (document.agreement ?? []).map(({ a, b, rankCorrelation, iouTop20 }) =>
    text(
      pen,
      `${document.explanations[a]!.label} / ${document.explanations[b]!.label}: rank correlation ${fixed(rankCorrelation)}, ` +
        `overlap of the top 20 % ${fixed(iouTop20)}`,
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
    ...(pairs.length > 0 ? [column(pairs, 2)] : []),
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
