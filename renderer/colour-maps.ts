/** Colour maps for saliency: perceptually even, legible to colour-blind people, and light where the value is high. */
import { rgb } from 'd3-color';
import {
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolateMagma,
  interpolatePuOr,
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

/** How a share of the scale becomes a colour, for each way to see a map on a canvas. */
export type Shading = 'heat' | 'spotlight' | 'alone';

/** The paper that a spotlight fades to. */
const PAPER = { light: [255, 255, 255], dark: [22, 21, 20] } as const;

type Shade = (t: number, colour: { r: number; g: number; b: number }, style: TableStyle) => readonly number[];

const SHADES: Readonly<Record<Shading, Shade>> = {
  heat: (t, { r, g, b }, style) => [r, g, b, 255 * heatOpacity(t, style)],
  // What is salient stays, what is not fades to the paper; a little of everything stays, to know where one is.
  spotlight: (t, _, { opacity, threshold, dark }) => [
    ...PAPER[dark ? 'dark' : 'light'],
    255 * (0.25 + 0.75 * opacity) * (t < threshold ? 1 : (1 - t) ** 1.5),
  ],
  alone: (t, { r, g, b }, { threshold }) => [r, g, b, t < threshold ? 0 : 255],
};

export interface TableStyle extends HeatStyle {
  /** Default 'heat'. */
  readonly shading?: Shading;
  readonly dark?: boolean;
}

/** 256 RGBA entries, one per step of the scale, not premultiplied. */
export function heatTable(style: TableStyle): Uint8ClampedArray<ArrayBuffer> {
  const table = new Uint8ClampedArray(256 * 4);
  for (let step = 0; step < 256; step++) {
    const t = step / 255;
    table.set(SHADES[style.shading ?? 'heat'](t, rgb(INTERPOLATORS[style.colourMap](t)), style), step * 4);
  }
  return table;
}

/**
 * The colours of held tokens: those that Okabe and Ito chose so that colour-blind people can tell them apart
 * (https://jfly.uni-koeln.de/color/), without black, and yellow last.
 */
export const PIN_COLOURS = ['#e69f00', '#56b4e9', '#009e73', '#d55e00', '#cc79a7', '#0072b2', '#f0e442'] as const;

/** The colour of a difference, −1 … 1, as CSS: purple where the first is higher, orange where the second is. */
export function differenceColour(t: number): string {
  return rgb(interpolatePuOr((1 - t) / 2)).formatHex();
}
