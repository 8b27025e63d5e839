import { intAttr, nodeError } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int, ints } from '../../onnx/graph.ts';
import type { Window } from '../../onnx/shapes/convolution.ts';
import { convWindow, poolWindow } from '../../onnx/shapes/convolution.ts';
import type { Rule, Site } from '../site.ts';

/** The adjoint of a convolution with the same window: a transposed convolution that ends at exactly the input's size. */
function transposed(s: Site, dy: string, kernel: string, window: Window, group: number): string {
  const sizes = s.dims(s.x()).slice(2);
  const out = s.dims(dy).slice(2);
  const reached = sizes.map(
    (_, i) =>
      (out[i]! - 1) * window.strides[i]! +
      (window.kernel[i]! - 1) * window.dilations[i]! +
      1 -
      window.before[i]! -
      window.after[i]!,
  );
  // Pixels at the end that no window reached: a transposed convolution can add them while they are fewer than a stride.
  const missing = sizes.map((size, i) => size - reached[i]!);
  const extra = missing.map((count, i) => Math.max(0, Math.min(count, window.strides[i]! - 1)));
  const result = s.b.op('ConvTranspose', [dy, kernel], {
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    pads: ints([...window.before, ...window.after]),
    output_padding: ints(extra),
    group: int(group),
    kernel_shape: ints(window.kernel),
  });
  const rest = missing.map((count, i) => count - extra[i]!);
  return s.b.pad(result, [0, 0, ...rest.map(() => 0)], [0, 0, ...rest]);
}

/**
 * Windows that tile the input without overlap (a ViT's patches): a matrix product, patch by patch, and a rearrangement.
 * dX[n, :, i·k + u, j·k + v] = Wᵀ[(:, u, v), o] · dY[n, o, i, j]
 */
function patches(s: Site, window: Window): string {
  const { b } = s;
  const [n, c, height, width] = s.dims(s.x()) as [number, number, number, number];
  const [, out, rows, cols] = s.dims(s.y()) as [number, number, number, number];
  const [kh, kw] = window.kernel as [number, number];
  const kernel = b.transpose(b.reshape(s.x(1), [out, c * kh * kw]), [1, 0]);
  const pixels = b.op('MatMul', [kernel, b.reshape(s.dy, [n, out, rows * cols])]);
  const apart = b.reshape(pixels, [n, c, kh, kw, rows, cols]);
  const image = b.reshape(b.transpose(apart, [0, 1, 4, 2, 5, 3]), [n, c, rows * kh, cols * kw]);
  return b.pad(image, [0, 0, 0, 0], [0, 0, height - rows * kh, width - cols * kw]);
}

/**
 * With stride 1 the adjoint is itself a convolution, with the kernel turned by 180° and its channels swapped, which runs faster than
 * a transposed one. The kernel is a constant, so the runtime turns it once.
 */
function turned(s: Site, window: Window, group: number): string | undefined {
  const { b } = s;
  const reach = window.kernel.map((size, i) => (size - 1) * window.dilations[i]!);
  const before = reach.map((pad, i) => pad - window.before[i]!);
  const after = reach.map((pad, i) => pad - window.after[i]!);
  if (window.strides.some((stride) => stride !== 1) || [...before, ...after].some((pad) => pad < 0)) return undefined;
  const spatial = window.kernel.map((_, i) => i);
  const ends = spatial.map(() => -(2 ** 62));
  const back = spatial.map(() => -1);
  const flipped = b.op('Slice', [s.x(1), b.ints(back), b.ints(ends), b.ints(spatial.map((i) => i + 2)), b.ints(back)]);
  const [out, channels] = s.dims(s.x(1)) as [number, number];
  const grouped = b.reshape(flipped, [group, out / group, channels, ...window.kernel]);
  const swapped = b.transpose(grouped, [0, 2, 1, ...spatial.map((i) => i + 3)]);
  return b.op('Conv', [s.dy, b.reshape(swapped, [group * channels, out / group, ...window.kernel])], {
    dilations: ints(window.dilations),
    pads: ints([...before, ...after]),
    group: int(group),
    kernel_shape: ints(window.kernel),
  });
}

/** The input's gradient; a convolution's kernel is a weight, and weights have no gradients here. */
export const conv: Rule = (s) => {
  const group = intAttr(s.node, 'group', 1);
  const window = convWindow(s.shape);
  const tiles =
    group === 1 &&
    window.kernel.length === 2 &&
    window.kernel.every((size, i) => size === window.strides[i] && window.dilations[i] === 1) &&
    [...window.before, ...window.after].every((pad) => pad === 0);
  return [
    () => (tiles ? patches(s, window) : (turned(s, window, group) ?? transposed(s, s.dy, s.x(1), window, group))),
    () => {
      throw nodeError(
        s.node,
        'the gradient with respect to a convolution kernel is not supported',
        'Ask for the gradient of its input',
      );
    },
    () =>
      s.b.sum(
        s.dy,
        s.dims(s.y()).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
        false,
      ),
  ];
};

/** A transposed convolution's adjoint is the convolution with the same kernel. */
export const convTranspose: Rule = (s) => {
  const group = intAttr(s.node, 'group', 1);
  const window = convWindow(s.shape);
  return [
    () =>
      s.b.op('Conv', [s.dy, s.x(1)], {
        strides: ints(window.strides),
        dilations: ints(window.dilations),
        pads: ints([...window.before, ...window.after]),
        group: int(group),
        kernel_shape: ints(window.kernel),
      }),
    () => {
      throw nodeError(
        s.node,
        'the gradient with respect to a convolution kernel is not supported',
        'Ask for the gradient of its input',
      );
    },
    () =>
      s.b.sum(
        s.dy,
        s.dims(s.y()).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
        false,
      ),
  ];
};

/** How many real pixels each window averages, one number for each output pixel. */
function windowCounts(s: Site, window: Window): string {
  const sizes = s.dims(s.x()).slice(2);
  const out = s.dims(s.y()).slice(2);
  const padded = intAttr(s.node, 'count_include_pad', 0) !== 0;
  const along = sizes.map((size, i) =>
    Array.from({ length: out[i]! }, (_, at) => {
      const start = at * window.strides[i]! - window.before[i]!;
      let count = 0;
      for (let k = 0; k < window.kernel[i]!; k++) {
        const pixel = start + k * window.dilations[i]!;
        // Even where padding counts, what ceil_mode adds beyond it does not.
        if (padded ? pixel < size + window.after[i]! : pixel >= 0 && pixel < size) count++;
      }
      return count;
    }),
  );
  const counts = along.reduce((outer, line) => outer.flatMap((a) => line.map((b) => a * b)), [1]);
  return s.b.constant(s.b.graph.type(s.x()).dtype, [1, 1, ...out], counts, 'counts');
}

/** Each output's gradient spread evenly over its window. */
export const averagePool: Rule = (s) => [
  () => {
    const { b } = s;
    const window = poolWindow(s.shape);
    const channels = s.dims(s.x())[1]!;
    const dims = [channels, 1, ...window.kernel];
    const ones = b.constant(b.graph.type(s.x()).dtype, dims, new Float64Array(sizeOf(dims)).fill(1), 'ones');
    return transposed(s, b.div(s.dy, windowCounts(s, window)), ones, window, channels);
  },
];

/** To the pixel that was the maximum: MaxPool says which, counted over the whole tensor. */
export const maxPool: Rule = (s) => [
  () => {
    const { b, node } = s;
    if (intAttr(node, 'storage_order', 0) !== 0)
      throw nodeError(node, 'MaxPool in column-major order has no gradient rule');
    if (node.outputs[1] === undefined || node.outputs[1] === '') {
      const name = b.graph.fresh(`${node.outputs[0]!}/indices`);
      node.outputs[1] = name;
      b.graph.types.set(name, { dtype: 'int64', dims: s.dims(s.y()) });
    }
    const count = sizeOf(s.dims(s.y()));
    const flat = b.op(
      'ScatterElements',
      [b.zeros([sizeOf(s.dims(s.x()))], s.x()), b.reshape(node.outputs[1]!, [count]), b.reshape(s.dy, [count])],
      { axis: int(0), reduction: { kind: 'string', value: 'add' } },
    );
    return b.reshape(flat, s.dims(s.x()));
  },
];

/** 1/n to each pixel: thin, the same for all of a channel. */
export const globalAveragePool: Rule = (s) => [() => s.b.scale(s.thinDy, 1 / sizeOf(s.dims(s.x()).slice(2)))];
