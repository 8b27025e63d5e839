/** Saliency on a canvas that lies over the picture; one map fades into the next. */
import { heatTable, type HeatStyle } from './colour-maps.ts';
import { resample, type Field, type Scale } from './saliency.ts';

/** The canvas's longer side, in px. Bilinear saliency has no finer detail; the browser smooths the rest of the way. */
export const HEAT_SIDE = 384;

const FADE_MS = 140;

export interface Heatmap {
  readonly canvas: HTMLCanvasElement;
  /** Shows a field, or nothing. */
  show(field: Field | undefined, scale: Scale, style: HeatStyle): void;
}

/** Whether the reader asked for less motion, of the system or of VS Code. */
function wantsStillness(): boolean {
  return (
    matchMedia('(prefers-reduced-motion: reduce)').matches || document.body.classList.contains('vscode-reduce-motion')
  );
}

/** Colours `levels` (0 … 1, one per pixel) into an RGBA image. */
export function paintLevels(levels: Float32Array, style: HeatStyle, pixels: Uint8ClampedArray): void {
  const from = new Uint32Array(heatTable(style).buffer);
  const to = new Uint32Array(pixels.buffer, pixels.byteOffset, levels.length);
  for (let at = 0; at < levels.length; at++) to[at] = from[Math.round(levels[at]! * 255)]!;
}

/** Size of the heat for a picture of the given size: the same shape, HEAT_SIDE at most. */
export function heatSize(width: number, height: number): readonly [width: number, height: number] {
  const shrink = HEAT_SIDE / Math.max(width, height);
  return [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
}

/** A heatmap for a picture of the given size. */
export function createHeatmap(width: number, height: number, signal: AbortSignal): Heatmap {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = heatSize(width, height);
  const context = canvas.getContext('2d');
  const image = new ImageData(canvas.width, canvas.height);
  const blank = new Float32Array(canvas.width * canvas.height);

  let shown: Float32Array = blank;
  let target: Float32Array = blank;
  let style: HeatStyle | undefined;
  let key = '';
  let keyField: Field | undefined;
  let frame = 0;
  let first = true;

  const paint = (levels: Float32Array): void => {
    shown = levels;
    if (!style) return;
    paintLevels(levels, style, image.data);
    context?.putImageData(image, 0, 0);
  };

  const fade = (from: Float32Array, began: number): void => {
    frame = requestAnimationFrame((now) => {
      const share = Math.min((now - began) / FADE_MS, 1);
      paint(share === 1 ? target : target.map((to, at) => from[at]! + (to - from[at]!) * Math.max(share, 0)));
      if (share < 1) fade(from, began);
    });
  };

  signal.addEventListener('abort', () => cancelAnimationFrame(frame));

  return {
    canvas,
    show(field, scale, nextStyle) {
      style = nextStyle;
      const nextKey = scale.join();
      if (field === keyField && nextKey === key && !first) {
        paint(shown);
        return;
      }
      cancelAnimationFrame(frame);
      target = field ? resample(field, scale, canvas.width, canvas.height) : blank;
      [keyField, key] = [field, nextKey];
      if (first || wantsStillness()) paint(target);
      else fade(shown, performance.now());
      first = false;
    },
  };
}
