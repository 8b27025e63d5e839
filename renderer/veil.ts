/** What lies over the picture when cells of it are replaced by the baseline: all of them, or those of a curve's step. */
import type { DocumentImage } from '../kernel/document.ts';
import { BASELINE_SIDE, drawBaseline, type Pixels } from './baseline.ts';
import { canvasOf } from './element.ts';
import { heatSize } from './heatmap.ts';
import { fieldFrom, removalOrder, resample, type Field } from './saliency.ts';

export interface Veil {
  readonly canvas: HTMLCanvasElement;
  /**
   * Replaces cells by a baseline, as the mask does: up-sampled bilinearly.
   * @param removed 1 where a cell is replaced and 0 where it is kept; undefined for all of them
   * @returns whether the baseline can be drawn
   */
  show(baseline: string, removed?: Field): boolean;
  hide(): void;
}

/** The cells that a curve's step replaces: those first in the map's order (deletion), or all but those (insertion). */
export function removedCells(map: Field, kind: 'deletion' | 'insertion', share: number): Field {
  const values = new Float32Array(map.values.length).fill(kind === 'deletion' ? 0 : 1);
  for (const cell of removalOrder(map).subarray(0, Math.round(share * values.length))) {
    values[cell] = kind === 'deletion' ? 1 : 0;
  }
  return fieldFrom(map.rows, map.cols, values);
}

/** A veil over a picture that may still be loading. */
export function createVeil(picture: HTMLImageElement, image: DocumentImage, signal: AbortSignal): Veil {
  const { canvas, context } = canvasOf(...heatSize(image.width, image.height));
  canvas.setAttribute('class', 'veil');
  canvas.hidden = true;
  const drawn = new Map<string, Pixels | undefined>();
  let waiting: (() => void) | undefined;

  const baselineOf = (name: string): Pixels | undefined => {
    if (!drawn.has(name)) {
      const small = canvasOf(...heatSize(image.width, image.height, BASELINE_SIDE));
      const [width, height] = [small.canvas.width, small.canvas.height];
      small.context.imageSmoothingQuality = 'high';
      small.context.drawImage(picture, 0, 0, width, height);
      drawn.set(name, drawBaseline(name, small.context.getImageData(0, 0, width, height), image.sourceWidth));
    }
    return drawn.get(name);
  };

  const paint = (name: string, removed: Field | undefined): boolean => {
    const baseline = baselineOf(name);
    if (!baseline) return false;
    const { width, height } = canvas;
    const small = canvasOf(baseline.width, baseline.height);
    small.context.putImageData(new ImageData(baseline.data, baseline.width, baseline.height), 0, 0);
    context.globalCompositeOperation = 'copy';
    context.drawImage(small.canvas, 0, 0, width, height);
    if (removed) {
      const mask = context.createImageData(width, height);
      resample(removed, [0, 1], width, height).forEach((share, at) => (mask.data[at * 4 + 3] = 255 * share));
      const cut = canvasOf(width, height);
      cut.context.putImageData(mask, 0, 0);
      context.globalCompositeOperation = 'destination-in';
      context.drawImage(cut.canvas, 0, 0);
    }
    return true;
  };

  picture.addEventListener('load', () => waiting?.(), { signal });
  return {
    canvas,
    show(name, removed) {
      canvas.hidden = false;
      if (!picture.complete || picture.naturalWidth === 0) {
        waiting = () => paint(name, removed);
        return true;
      }
      return paint(name, removed);
    },
    hide() {
      waiting = undefined;
      canvas.hidden = true;
    },
  };
}
