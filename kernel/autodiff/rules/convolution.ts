import { intAttr } from '../../onnx/attributes.ts';
import { sizeOf } from '../../onnx/dtype.ts';
import { int, ints } from '../../onnx/graph.ts';
import type { Window } from '../../onnx/shapes/convolution.ts';
import { convTransposeWindow, convWindow, poolWindow } from '../../onnx/shapes/convolution.ts';
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

/**
 * The gradient of a convolution's kernel is a convolution too, of the input with the gradient as kernel, strides and dilations
 * changing places: dW[o, c, k] = Σ dY[n, o, p]·X[n, c, p·stride + k·dilation − pad].
 */
function kernelGradient(s: Site, x: string, dy: string, window: Window, group: number): string {
  const { b } = s;
  const [n, channels, ...size] = s.dims(x) as [number, number, ...number[]];
  const out = s.dims(dy)[1]!;
  const { kernel, strides, dilations, before } = window;
  const spatial = size.map((_, i) => i);
  const rest = spatial.map((i) => i + 3);
  const apart = b.transpose(b.reshape(x, [n, group, channels / group, ...size]), [2, 1, 0, ...rest]);
  const steps = s.dims(dy).slice(2);
  const after = size.map((pixels, i) => {
    const reach = (kernel[i]! - 1) * dilations[i]! + (steps[i]! - 1) * strides[i]! + 1;
    return Math.max(0, reach - pixels - before[i]!);
  });
  const found = b.op(
    'Conv',
    [b.reshape(apart, [channels / group, group * n, ...size]), b.transpose(dy, [1, 0, ...spatial.map((i) => i + 2)])],
    { strides: ints(dilations), dilations: ints(strides), pads: ints([...before, ...after]), group: int(group) },
  );
  // Pixels that no window reached would be the gradient of a larger kernel.
  const surplus = b.dims(found).map((dim, axis) => (axis < 2 ? 0 : kernel[axis - 2]! - dim));
  const cut = b.pad(
    found,
    surplus.map(() => 0),
    surplus,
  );
  return b.reshape(b.transpose(cut, [1, 0, ...spatial.map((i) => i + 2)]), [out, channels / group, ...kernel]);
}

/** The bias is added to every pixel of its channel. */
const biasGradient = (s: Site): string =>
  s.b.sum(
    s.dy,
    s.dims(s.y()).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
    false,
  );

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
    () => kernelGradient(s, s.x(), s.dy, window, group),
    () => biasGradient(s),
  ];
};

/** A transposed convolution's adjoint is the convolution with the same kernel; for its kernel, x and dy change places. */
export const convTranspose: Rule = (s) => {
  const group = intAttr(s.node, 'group', 1);
  const { window } = convTransposeWindow(s.shape);
  return [
    () =>
      s.b.op('Conv', [s.dy, s.x(1)], {
        strides: ints(window.strides),
        dilations: ints(window.dilations),
        pads: ints([...window.before, ...window.after]),
        group: int(group),
        kernel_shape: ints(window.kernel),
      }),
    () => kernelGradient(s, s.dy, s.x(), window, group),
    () => biasGradient(s),
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

/** The adjoint of summing each window: every output's number added to all pixels of its window. */
function spread(s: Site, gradient: string, window: Window): string {
  const channels = s.dims(s.x())[1]!;
  const dims = [channels, 1, ...window.kernel];
  const ones = s.b.constant(s.b.graph.type(s.x()).dtype, dims, new Float64Array(sizeOf(dims)).fill(1), 'ones');
  return transposed(s, gradient, ones, window, channels);
}

/** Each output's gradient spread evenly over its window. */
export const averagePool: Rule = (s) => [
  () => {
    const window = poolWindow(s.shape);
    return spread(s, s.b.div(s.dy, windowCounts(s, window)), window);
  },
];

/** x·|x|^(p − 2), the slope of |x|^p/p. */
const powerSlope = (s: Site, p: number): string =>
  p === 2 ? s.x() : s.b.mul(s.b.op('Sign', [s.x()]), s.b.op('Pow', [s.b.op('Abs', [s.x()]), s.b.scalar(p - 1, s.x())]));

/** dy·y^(1 − p), and 0 where y is 0: what a pixel's slope is multiplied with. */
function rootSlope(s: Site, p: number): string {
  const { b } = s;
  const [zero, one] = [b.scalar(0, s.y()), b.scalar(1, s.y())];
  const safe = b.op('Where', [b.op('Equal', [s.y(), zero]), one, s.y()]);
  return p === 1 ? s.dy : b.div(s.dy, b.op('Pow', [safe, b.scalar(p - 1, s.y())]));
}

/** y = (Σ |x|^p)^(1/p) over each window: dx = x·|x|^(p−2)·Σ dy·y^(1−p) over the windows that x is in */
export const lpPool: Rule = (s) => [
  () => {
    const p = intAttr(s.node, 'p', 2);
    return s.b.mul(powerSlope(s, p), spread(s, rootSlope(s, p), poolWindow(s.shape)));
  },
];

/** The same with one window for each channel. */
export const globalLpPool: Rule = (s) => [
  () => {
    const p = intAttr(s.node, 'p', 2);
    return s.b.mul(powerSlope(s, p), rootSlope(s, p));
  },
];

/** To the pixel that was the maximum: MaxPool says which, counted over the whole tensor, by rows or (storage_order 1) by columns. */
export const maxPool: Rule = (s) => [
  () => {
    const { b, node } = s;
    if (node.outputs[1] === undefined || node.outputs[1] === '') {
      const name = b.graph.fresh(`${node.outputs[0]!}/indices`);
      node.outputs[1] = name;
      b.graph.types.set(name, { dtype: 'int64', dims: s.dims(s.y()) });
    }
    const dims = s.dims(s.x());
    const count = sizeOf(s.dims(s.y()));
    const flat = b.op(
      'ScatterElements',
      [b.zeros([sizeOf(dims)], s.x()), b.reshape(node.outputs[1]!, [count]), b.reshape(s.dy, [count])],
      { axis: int(0), reduction: { kind: 'string', value: 'add' } },
    );
    if (intAttr(node, 'storage_order', 0) === 0) return b.reshape(flat, dims);
    const turn = dims.map((_, axis) => (axis < 2 ? axis : dims.length + 1 - axis));
    return b.transpose(
      b.reshape(
        flat,
        turn.map((axis) => dims[axis]!),
      ),
      turn,
    );
  },
];

/** 1/n to each pixel: thin, the same for all of a channel. */
export const globalAveragePool: Rule = (s) => [() => s.b.scale(s.thinDy, 1 / sizeOf(s.dims(s.x()).slice(2)))];
