/** Saliency on a canvas that lies over the picture, or as lines; one map fades into the next. */
import { rgb } from 'd3-color';
import { colourAt, heatTable, type TableStyle } from './colour-maps.ts';
import { contourLines } from './contours.ts';
import { canvasOf, svgElement } from './element.ts';
import { resample, type Field, type Scale } from './saliency.ts';
import type { ViewState } from './store.ts';

/** The canvas's longer side, in px. Bilinear saliency has no finer detail; the browser smooths the rest of the way. */
export const HEAT_SIDE = 256;

/** Changes that follow one another faster than this do not fade, ms: a fade takes as long. */
const HURRIED_MS = 160;

/** One map of those that are shown: with a colour of its own where there are several. */
export interface HeatLayer {
  readonly field: Field;
  readonly scale: Scale;
  readonly colour?: string;
}

/** How the heat is drawn. */
export type HeatLook = Pick<ViewState, 'mode' | 'sampling' | 'colourMap' | 'opacity' | 'threshold' | 'dark'>;

export interface Heatmap {
  /** The canvases and the lines, to lie over the picture. */
  readonly elements: readonly Element[];
  show(layers: readonly HeatLayer[], look: HeatLook): void;
}

/** Colours `levels` (0 … 1, one per pixel) into an RGBA image. */
export function paintLevels(levels: Float32Array, style: TableStyle, pixels: Uint8ClampedArray): void {
  const from = new Uint32Array(heatTable(style).buffer);
  const to = new Uint32Array(pixels.buffer, pixels.byteOffset, levels.length);
  for (let at = 0; at < levels.length; at++) to[at] = from[Math.round(levels[at]! * 255)]!;
}

/** Several maps in one image: each pixel takes the colours of the maps in proportion, as strong as the strongest of them. */
export function paintBlend(
  maps: readonly { readonly levels: Float32Array; readonly colour: string }[],
  { opacity, threshold }: Pick<HeatLook, 'opacity' | 'threshold'>,
  pixels: Uint8ClampedArray,
): void {
  const colours = maps.map(({ colour }) => rgb(colour));
  for (let at = 0; at < pixels.length / 4; at++) {
    let [r, g, b, sum, most] = [0, 0, 0, 0, 0];
    for (let map = 0; map < maps.length; map++) {
      const level = maps[map]!.levels[at]!;
      if (level < threshold) continue;
      // Squared, so that where one map is clearly stronger its colour stays its own.
      const weight = level * level;
      r += weight * colours[map]!.r;
      g += weight * colours[map]!.g;
      b += weight * colours[map]!.b;
      sum += weight;
      most = Math.max(most, level);
    }
    if (sum > 0) {
      pixels[at * 4] = r / sum;
      pixels[at * 4 + 1] = g / sum;
      pixels[at * 4 + 2] = b / sum;
    }
    pixels[at * 4 + 3] = sum > 0 ? 255 * Math.min(1, opacity * 1.2) * most ** 0.8 : 0;
  }
}

/** Size of the heat for a picture of the given size: the same shape, HEAT_SIDE at most. */
export function heatSize(width: number, height: number, side = HEAT_SIDE): readonly [width: number, height: number] {
  const shrink = side / Math.max(width, height);
  return [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
}

/** Paints layers into an RGBA image of the given size, in any mode but contours, which are lines. */
export function paintLayers(layers: readonly HeatLayer[], look: HeatLook, image: ImageData): void {
  const levels = layers.map(({ field, scale }) => resample(field, scale, image.width, image.height, look.sampling));
  paintSampled(layers, levels, look, image);
}

function paintSampled(
  layers: readonly HeatLayer[],
  levels: readonly Float32Array[],
  look: HeatLook,
  image: ImageData,
): void {
  const [first] = levels;
  if (!first || look.mode === 'contours') image.data.fill(0);
  else if (layers.length > 1 && look.mode !== 'spotlight') {
    paintBlend(
      levels.map((one, at) => ({ levels: one, colour: layers[at]!.colour ?? '#808080' })),
      look.mode === 'alone' ? { ...look, opacity: 1 } : look,
      image.data,
    );
  } else {
    const most = levels.length > 1 ? first.map((_, at) => Math.max(...levels.map((one) => one[at]!))) : first;
    paintLevels(most, { ...look, shading: look.mode }, image.data);
  }
}

/** The layers' lines of equal saliency as one drawing, in a box of 1 × 1 that stretches. */
export function drawContours(layers: readonly HeatLayer[], look: HeatLook): SVGGElement {
  const several = layers.length > 1;
  const groups = layers.map(({ field, scale, colour }) => {
    const { width, height, lines } = contourLines(field, scale, look.threshold, look.sampling);
    const paths = lines
      .filter(({ path }) => path !== '')
      .flatMap(({ level, path }) => {
        const line = { d: path, fill: 'none', 'vector-effect': 'non-scaling-stroke', 'stroke-linejoin': 'round' };
        const stroke = several && colour ? colour : colourAt(look.colourMap, level);
        return [
          svgElement('path', { ...line, stroke: '#000', 'stroke-opacity': 0.55, 'stroke-width': 3.5 }),
          svgElement('path', { ...line, stroke, 'stroke-width': 1.75, 'data-level': level }),
        ];
      });
    return svgElement('g', { transform: `scale(${1 / width} ${1 / height})` }, ...paths);
  });
  return svgElement('g', { opacity: Math.min(1, look.opacity + 0.3) }, ...groups);
}

/** A heatmap for a picture of the given size. */
export function createHeatmap(width: number, height: number): Heatmap {
  const size = heatSize(width, height);
  // Two canvases take turns: the one comes while the other goes. The style sheet fades them, or does not.
  const canvases = [canvasOf(...size), canvasOf(...size)] as const;
  const image = new ImageData(...size);
  const lines = svgElement('svg', {
    class: 'contours',
    viewBox: '0 0 1 1',
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  let front = 0;
  let changed = -Infinity;
  let levels: readonly Float32Array[] = [];
  let shown: readonly HeatLayer[] = [];
  let sampling: HeatLook['sampling'] | undefined;

  const arrange = (): void => {
    // Who sweeps over the words sees each map at once: a fade would only be cut off by the next. So does the first map.
    const now = performance.now();
    const hurried = now - changed < HURRIED_MS;
    changed = now;
    canvases.forEach(({ canvas }, at) => {
      canvas.toggleAttribute('data-hurried', hurried);
      canvas.setAttribute('class', at === front ? 'heat' : 'heat-before');
    });
  };
  arrange();

  const same = (layers: readonly HeatLayer[]): boolean =>
    layers.length === shown.length &&
    layers.every(({ field, scale, colour }, at) => {
      const other = shown[at]!;
      return field === other.field && String(scale) === String(other.scale) && colour === other.colour;
    });

  return {
    elements: [canvases[0].canvas, canvases[1].canvas, lines],
    show(layers, look) {
      const other = !same(layers);
      if (other || sampling !== look.sampling) {
        levels = layers.map(({ field, scale }) => resample(field, scale, ...size, look.sampling));
      }
      if (other) front = 1 - front;
      [shown, sampling] = [layers, look.sampling];
      paintSampled(layers, levels, look, image);
      canvases[front]!.context.putImageData(image, 0, 0);
      for (const { canvas } of canvases) canvas.toggleAttribute('data-cells', look.sampling === 'cells');
      if (other) arrange();
      if (look.mode === 'contours') lines.replaceChildren(drawContours(layers, look));
      else if (lines.childElementCount > 0) lines.replaceChildren();
    },
  };
}
