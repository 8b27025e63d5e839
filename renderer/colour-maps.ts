/** Colour maps for saliency: perceptually even, legible to colour-blind people, and light where the value is high. */
import { rgb } from 'd3-color';
import {
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolateMagma,
  interpolateViridis,
} from 'd3-scale-chromatic';

const INTERPOLATORS = {
  viridis: interpolateViridis,
  cividis: interpolateCividis,
  inferno: interpolateInferno,
  magma: interpolateMagma,
  // d3's greys run from white to black; the others all run from dark to light.
  greys: (t: number) => interpolateGreys(1 - t),
} as const;

export type ColourMapName = keyof typeof INTERPOLATORS;

export const COLOUR_MAPS = Object.keys(INTERPOLATORS) as readonly ColourMapName[];

/** The CSS colour at `t`, 0 … 1. */
export function colourAt(name: ColourMapName, t: number): string {
  return rgb(INTERPOLATORS[name](t)).formatHex();
}

export interface HeatStyle {
  readonly colourMap: ColourMapName;
  /** Of the hottest place, 0 … 1. */
  readonly opacity: number;
  /** Share of the scale below which nothing is drawn, 0 … 1. */
  readonly threshold: number;
}

/**
 * Opacity at `t`: cool places let the picture through, hot ones do not. The exponent keeps the middle of the scale
 * visible without laying a veil over all of the picture.
 */
export function heatOpacity(t: number, { opacity, threshold }: Pick<HeatStyle, 'opacity' | 'threshold'>): number {
  return t < threshold ? 0 : opacity * t ** 0.8;
}

/** 256 RGBA entries, one per step of the scale, not premultiplied. */
export function heatTable(style: HeatStyle): Uint8ClampedArray<ArrayBuffer> {
  const table = new Uint8ClampedArray(256 * 4);
  for (let step = 0; step < 256; step++) {
    const t = step / 255;
    const { r, g, b } = rgb(INTERPOLATORS[style.colourMap](t));
    table.set([r, g, b, 255 * heatOpacity(t, style)], step * 4);
  }
  return table;
}
