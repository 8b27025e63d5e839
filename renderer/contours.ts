/** A map as lines of equal saliency. */
import { contours, type ContourMultiPolygon } from 'd3-contour';
import { resample, type Field, type Scale } from './saliency.ts';
import type { Sampling } from './store.ts';

/** Shares of the scale at which lines are drawn. */
const LEVELS = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9] as const;

/** How finely cells are cut where lines are to follow their edges: corners are off by half of one part. */
const PARTS = 8;

export interface ContourLine {
  /** On the scale, 0 … 1. */
  readonly level: number;
  /** An SVG path in a box of `width` × `height`. */
  readonly path: string;
}

export interface ContourLines {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly ContourLine[];
}

/** The levels that are drawn for a threshold: those above it, and the threshold itself. */
export function contourLevels(threshold: number): readonly number[] {
  return threshold > 0 ? [threshold, ...LEVELS.filter((level) => level > threshold + 0.04)] : LEVELS;
}

/** Lines of equal saliency, lowest first. */
export function contourLines(field: Field, scale: Scale, threshold: number, sampling: Sampling): ContourLines {
  const parts = sampling === 'cells' ? PARTS : 1;
  const [width, height] = [field.cols * parts, field.rows * parts];
  const levels = resample(field, scale, width, height, sampling);
  const shapes = contours()
    .size([width, height])
    .smooth(sampling === 'smooth')
    .thresholds([...contourLevels(threshold)])(levels as unknown as number[]);
  return { width, height, lines: shapes.map((shape) => ({ level: shape.value, path: pathOf(shape) })) };
}

function pathOf({ coordinates }: ContourMultiPolygon): string {
  const rings = coordinates.flat();
  return rings.map((ring) => `M${ring.map(([x, y]) => `${round(x!)},${round(y!)}`).join('L')}Z`).join('');
}

const round = (value: number): number => Math.round(value * 100) / 100;
