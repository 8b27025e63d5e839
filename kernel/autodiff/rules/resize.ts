import { floatAttr, intAttr, nodeError, stringAttr } from '../../onnx/attributes.ts';
import type { ResizedAxis } from '../../onnx/shapes/convolution.ts';
import { resizedAxes } from '../../onnx/shapes/convolution.ts';
import type { Rule, Site } from '../site.ts';

/** Where output position `i` lies in the input, by the operator's coordinate_transformation_mode. */
type Coordinate = (
  i: number,
  scale: number,
  input: number,
  output: number,
  crop: readonly [start: number, end: number],
) => number;

const COORDINATES: Readonly<Record<string, Coordinate>> = {
  half_pixel: (i, scale) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: (i, scale, input, output) => {
    const centre = (input / 2) * (1 - output / (scale * input));
    return centre + (i + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (i, scale, _input, output) => (output > 1 ? (i + 0.5) / scale - 0.5 : 0),
  asymmetric: (i, scale) => i / scale,
  align_corners: (i, _scale, input, output) => (output === 1 ? 0 : (i * (input - 1)) / (output - 1)),
  tf_crop_and_resize: (i, _scale, input, output, [start, end]) =>
    output > 1
      ? start * (input - 1) + (i * (end - start) * (input - 1)) / (output - 1)
      : 0.5 * (start + end) * (input - 1),
};

const NEAREST: Readonly<Record<string, (at: number) => number>> = {
  round_prefer_floor: (at) => Math.ceil(at - 0.5),
  round_prefer_ceil: (at) => Math.floor(at + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys' cubic kernel. */
const cubic = (distance: number, a: number): number => {
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
};

/** Weights of input positions in one output position. */
type Taps = readonly (readonly [position: number, weight: number])[];

function taps(s: Site, at: number, scale: number): Taps {
  const mode = stringAttr(s.node, 'mode', 'nearest');
  if (mode === 'nearest') {
    const rounding = stringAttr(s.node, 'nearest_mode', 'round_prefer_floor');
    return [[NEAREST[rounding]!(at), 1]];
  }
  // Antialiasing widens the kernel by the factor by which the image shrinks; its weights are then divided by their sum.
  const stretch = intAttr(s.node, 'antialias', 0) !== 0 && scale < 1 ? 1 / scale : 1;
  const reach = (mode === 'cubic' ? 2 : 1) * stretch;
  const a = floatAttr(s.node, 'cubic_coeff_a', -0.75);
  const weigh = (d: number) => (mode === 'cubic' ? cubic(d / stretch, a) : Math.max(0, 1 - Math.abs(d / stretch)));
  const result: [number, number][] = [];
  for (let position = Math.floor(at - reach) + 1; position <= Math.ceil(at + reach) - 1; position++) {
    const weight = weigh(position - at);
    if (weight !== 0) result.push([position, weight]);
  }
  return result;
}

/** The matrix [output × input] by which Resize acts along one axis. */
function resizeMatrix(s: Site, { input, output, scale, crop }: ResizedAxis): Float64Array {
  const name = stringAttr(s.node, 'coordinate_transformation_mode', 'half_pixel');
  const coordinate = COORDINATES[name];
  if (coordinate === undefined) {
    throw nodeError(
      s.node,
      `Resize with coordinates "${name}" has no gradient rule`,
      'Export the model with half_pixel or align_corners',
    );
  }
  const exclude = intAttr(s.node, 'exclude_outside', 0) !== 0;
  const normalise = exclude || intAttr(s.node, 'antialias', 0) !== 0;
  const matrix = new Float64Array(output * input);
  for (let i = 0; i < output; i++) {
    const at = coordinate(i, scale, input, output, crop);
    // What lies outside a crop is a constant.
    if (name === 'tf_crop_and_resize' && (at < 0 || at > input - 1)) continue;
    let all = taps(s, at, scale);
    if (exclude) all = all.filter(([position]) => position >= 0 && position < input);
    const total = normalise ? all.reduce((sum, [, weight]) => sum + weight, 0) : 1;
    for (const [position, weight] of all) {
      // Positions outside repeat the edge.
      matrix[i * input + Math.min(Math.max(position, 0), input - 1)]! += weight / total;
    }
  }
  return matrix;
}

/**
 * Resize is linear and acts on each axis by itself, y = R·x along it: dx = Rᵀ·dy with the same R, for every mode. R is small
 * (output × input of one axis) and is written into the graph.
 */
export const resize: Rule = (s) => [
  () => {
    const { b } = s;
    const rank = s.dims(s.x()).length;
    let gradient = s.dy;
    for (const resized of resizedAxes(s.shape)) {
      const { axis, input, output, scale } = resized;
      // onnxruntime copies such an axis, even where a crop would ask for less of it.
      if (input === output && scale === 1) continue;
      const { dtype } = b.graph.type(s.x());
      const matrix = b.constant(dtype, [output, input], resizeMatrix(s, resized), 'resize');
      if (axis === rank - 2) {
        gradient = b.op('MatMul', [b.transpose(matrix, [1, 0]), gradient]);
      } else {
        const last = Array.from({ length: rank }, (_, at) => at);
        [last[axis], last[rank - 1]] = [rank - 1, axis];
        gradient = b.transpose(b.op('MatMul', [b.transpose(gradient, last), matrix]), last);
      }
    }
    return gradient;
  },
];
