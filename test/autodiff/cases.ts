import fc from 'fast-check';
import type { DifferentiableOp, MicrosoftOp } from '../../kernel/autodiff/index.ts';
import { float, int, ints, text } from '../../kernel/onnx/index.ts';
import type { Attributes } from '../../kernel/onnx/index.ts';
import type { Case, CaseInput } from './check.ts';

/** Everything of a case but the operator and the seed. */
type Draft = Omit<Case, 'op' | 'seed' | 'domain'>;
export type Cases = fc.Arbitrary<Draft>;

const size = fc.integer({ min: 1, max: 4 });
const dims = (min = 1, max = 3) => fc.array(size, { minLength: min, maxLength: max });
const flag = fc.boolean();
const axisOf = (shape: readonly number[]) => fc.integer({ min: -shape.length, max: shape.length - 1 });
const list = (values: readonly number[]): CaseInput => ({
  dims: [values.length],
  values,
  fixed: 'constant',
  dtype: 'int64',
});
const scalarOf = (value: number): CaseInput => ({ dims: [], values: [value], fixed: 'constant' });
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A shape and another that broadcasts against it: axes dropped in front, some set to 1. Either order. */
const broadcastPair = fc
  .tuple(dims(), fc.array(flag, { minLength: 3, maxLength: 3 }), fc.nat(2), flag)
  .map(([full, ones, drop, swap]) => {
    const other = full.map((dim, i) => (ones[i] === true ? 1 : dim)).slice(Math.min(drop, full.length));
    return swap ? ([other, full] as const) : ([full, other] as const);
  });

const unary = (input: Partial<CaseInput> = {}, attributes: Attributes = {}): Cases =>
  dims().map((shape) => ({ inputs: [{ dims: shape, ...input }], attributes }));

const binary = (first: Partial<CaseInput> = {}, second: Partial<CaseInput> = {}): Cases =>
  broadcastPair.map(([a, b]) => ({
    inputs: [
      { dims: a, ...first },
      { dims: b, ...second },
    ],
  }));

const several = (): Cases =>
  fc.tuple(broadcastPair, flag).map(([[a, b], third]) => ({
    inputs: [{ dims: a }, { dims: b }, ...(third ? [{ dims: a }] : [])],
  }));

const reductionOf = (input: Partial<CaseInput> = {}): Cases =>
  fc.tuple(dims(), flag, fc.nat(2)).chain(([shape, keep, all]) =>
    fc
      .subarray(
        shape.map((_, i) => i),
        { minLength: 1 },
      )
      .map((axes) => ({
        inputs: [
          { dims: shape, ...input },
          ...(all === 0 ? [] : [list(axes.map((axis) => (all === 1 ? axis : axis - shape.length)))]),
        ],
        attributes: { keepdims: int(keep ? 1 : 0) },
      })),
  );

const overAxis = (more: (shape: readonly number[], axis: number) => Partial<Draft> = () => ({}), minimum = 1): Cases =>
  dims(minimum).chain((shape) =>
    axisOf(shape).map((axis) => ({ inputs: [{ dims: shape }], attributes: { axis: int(axis) }, ...more(shape, axis) })),
  );

const matMul: Cases = fc.tuple(dims(3, 3), dims(0, 2), flag, fc.nat(4)).map(([[m, k, n], stack, stretch, kind]) => {
  const other = stretch ? stack.map(() => 1) : stack;
  const a = kind === 0 ? [k!] : [...stack, m!, k!];
  const b = kind === 1 ? [k!] : kind === 2 ? [k!, n!] : [...other, k!, n!];
  return { inputs: [{ dims: a }, { dims: b }] };
});

const products = (scale: boolean): Cases =>
  fc.tuple(dims(3, 3), flag, flag, fc.nat(3), dims(0, 1)).map(([[m, k, n], transA, transB, bias, stack]) => {
    const outer = scale ? [] : stack;
    const c = [[m!, n!], [n!], [1, n!], []][bias]!;
    return {
      inputs: [
        { dims: [...outer, ...(transA ? [k!, m!] : [m!, k!])] },
        { dims: transB ? [n!, k!] : [k!, n!] },
        ...(scale && bias < 3 ? [{ dims: c }] : []),
      ],
      attributes: {
        alpha: float(0.7),
        transA: int(transA ? 1 : 0),
        transB: int(transB ? 1 : 0),
        ...(scale ? { beta: float(1.3) } : {}),
      },
    };
  });

/** A window over 1 or 2 spatial axes that fits the image. */
const windowed = (pads = true) =>
  fc.record({
    spatial: fc.array(fc.integer({ min: 4, max: 7 }), { minLength: 1, maxLength: 2 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    pad: pads ? fc.integer({ min: 0, max: 1 }) : fc.constant(0),
    batch: fc.integer({ min: 1, max: 2 }),
    channels: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    bias: flag,
    ceil: flag,
  });

const conv: Cases = windowed().map((w) => {
  const rank = w.spatial.length;
  const fill = (value: number) => new Array<number>(rank).fill(value);
  const [input, output] = [w.group * w.channels, w.group * 2];
  return {
    inputs: [
      { dims: [w.batch, input, ...w.spatial] },
      { dims: [output, w.channels, ...fill(w.kernel)] },
      ...(w.bias ? [{ dims: [output] }] : []),
    ],
    attributes: {
      strides: ints(fill(w.stride)),
      dilations: ints(fill(w.kernel === 1 ? 1 : w.dilation)),
      pads: ints([...fill(w.kernel === 1 ? 0 : w.pad), ...fill(0)]),
      group: int(w.group),
    },
  };
});

/** A vision transformer's patches, with pixels left over at the edges. */
const patchConv: Cases = fc
  .tuple(fc.integer({ min: 2, max: 3 }), fc.nat(1), fc.nat(1), fc.integer({ min: 1, max: 2 }))
  .map(([kernel, moreRows, moreCols, batch]) => ({
    inputs: [{ dims: [batch, 2, 2 * kernel + moreRows, 3 * kernel + moreCols] }, { dims: [3, 2, kernel, kernel] }],
    attributes: { strides: ints([kernel, kernel]) },
  }));

const convTranspose: Cases = windowed(false).map((w) => {
  const fill = (value: number) => new Array<number>(w.spatial.length).fill(value);
  return {
    inputs: [
      { dims: [w.batch, w.group * w.channels, ...w.spatial] },
      { dims: [w.group * w.channels, 2, ...fill(w.kernel)] },
      ...(w.bias ? [{ dims: [w.group * 2] }] : []),
    ],
    attributes: {
      strides: ints(fill(w.stride)),
      group: int(w.group),
      ...(w.ceil
        ? { pads: ints([...fill(w.kernel > 1 ? 1 : 0), ...fill(0)]), output_padding: ints(fill(w.stride > 1 ? 1 : 0)) }
        : { auto_pad: text(w.kernel > 2 ? 'SAME_UPPER' : 'VALID') }),
    },
  };
});

const pool = (kind: 'average' | 'max' | 'lp'): Cases =>
  windowed().map((w) => {
    const fill = (value: number) => new Array<number>(w.spatial.length).fill(value);
    const pad = w.kernel === 1 ? 0 : w.pad;
    return {
      inputs: [{ dims: [w.batch, w.channels, ...w.spatial], ...(kind === 'average' ? {} : { apart: 0 }) }],
      attributes: {
        kernel_shape: ints(fill(w.kernel)),
        strides: ints(fill(w.stride)),
        pads: ints([...fill(pad), ...fill(pad)]),
        ceil_mode: int(w.ceil && kind !== 'lp' ? 1 : 0),
        ...(kind === 'average' ? { count_include_pad: int(w.bias ? 1 : 0) } : {}),
        ...(kind === 'lp' ? { p: int(w.bias ? 2 : 3) } : {}),
        ...(kind === 'max' ? { storage_order: int(w.bias ? 1 : 0) } : {}),
      },
    };
  });

const channelled = (shape: readonly number[]) => ({ dims: [shape[1]!] });

const resize: Cases = fc
  .record({
    mode: fc.constantFrom('linear', 'nearest', 'cubic'),
    coordinates: fc.constantFrom('half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel'),
    nearest: fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
    height: fc.integer({ min: 2, max: 5 }),
    width: fc.integer({ min: 2, max: 5 }),
    tall: fc.integer({ min: 1, max: 9 }),
    wide: fc.integer({ min: 1, max: 9 }),
    bySizes: flag,
  })
  .map((r) => {
    const last = r.bySizes
      ? list([2, 3, r.tall, r.wide])
      : { dims: [4], values: [1, 1, r.tall / 2, r.wide / 2], fixed: 'constant' as const, dtype: 'float32' as const };
    return {
      inputs: [{ dims: [2, 3, r.height, r.width] }, null, ...(r.bySizes ? [null, last] : [last])],
      attributes: {
        mode: text(r.mode),
        coordinate_transformation_mode: text(r.coordinates),
        nearest_mode: text(r.nearest),
      },
    };
  })
  // onnxruntime refuses an empty result.
  .filter(({ inputs }) => {
    const scales = inputs[2]?.values;
    const image = inputs[0]!.dims;
    return scales === undefined || (image[2]! * scales[2]! >= 1 && image[3]! * scales[3]! >= 1);
  });

/** What only some exports use: some axes, a kept aspect ratio, antialiasing, a crop. */
const resizeMore: Cases = fc
  .tuple(fc.constantFrom('linear', 'cubic'), fc.nat(4), fc.integer({ min: 3, max: 6 }), fc.integer({ min: 2, max: 7 }))
  .map(([mode, kind, side, wanted]): Draft => {
    const sizes = list([wanted, wanted + 1]);
    const inputs = [{ dims: [1, 2, side, side + 1] }, null, null, sizes];
    const axes = { axes: ints([2, 3]), mode: text(mode) };
    if (kind === 0) return { inputs, attributes: { ...axes, keep_aspect_ratio_policy: text('not_larger') } };
    if (kind === 1) return { inputs, attributes: { ...axes, keep_aspect_ratio_policy: text('not_smaller') } };
    if (kind === 2) return { inputs, attributes: { ...axes, antialias: int(1) } };
    if (kind === 3)
      return { inputs, attributes: { ...axes, coordinate_transformation_mode: text('half_pixel_symmetric') } };
    const roi = {
      dims: [8],
      values: [0, 0, 0.1, 0.2, 1, 1, 0.9, 1.1],
      fixed: 'constant' as const,
      dtype: 'float32' as const,
    };
    return {
      inputs: [{ dims: [1, 2, side, side + 1] }, roi, null, list([1, 2, wanted, wanted])],
      attributes: { mode: text('linear'), coordinate_transformation_mode: text('tf_crop_and_resize') },
    };
  });

const indices = (bound: number, shape: readonly number[], fixed: 'constant' | 'fed' = 'fed') =>
  fc
    .array(fc.integer({ min: -bound, max: bound - 1 }), { minLength: count(shape), maxLength: count(shape) })
    .map((values): CaseInput => ({ dims: shape, values, fixed, dtype: 'int64' }));

const gather: Cases = dims(1, 3).chain((shape) =>
  axisOf(shape).chain((axis) =>
    fc
      .tuple(dims(0, 2), flag)
      .chain(([picked, known]) => indices(shape.at(axis)!, picked, known ? 'constant' : 'fed'))
      .map((chosen) => ({ inputs: [{ dims: shape }, chosen], attributes: { axis: int(axis) } })),
  ),
);

/** Consecutive rows: what a split by Gather or a window by Gather makes. */
const gatherRun: Cases = fc.tuple(size, size, size).map(([before, run, after]) => ({
  inputs: [{ dims: [2, before + run + after] }, list(Array.from({ length: run }, (_, i) => before + i))],
  attributes: { axis: int(1) },
}));

const gatherElements: Cases = dims(1, 3).chain((shape) =>
  axisOf(shape).chain((axis) =>
    indices(shape.at(axis)!, shape).map((chosen) => ({
      inputs: [{ dims: shape }, chosen],
      attributes: { axis: int(axis) },
    })),
  ),
);

const gatherND: Cases = fc.tuple(dims(3, 3), fc.nat(1), size).chain(([shape, batch, lookups]) => {
  const smallest = Math.min(...shape);
  return indices(smallest, batch === 0 ? [lookups, 2] : [shape[0]!, lookups, 1]).map((chosen) => ({
    inputs: [{ dims: shape }, chosen],
    attributes: { batch_dims: int(batch) },
  }));
});

const REDUCTIONS = ['none', 'add', 'mul', 'min', 'max'] as const;

/** Distinct places, since what overwrites what is not defined otherwise; values apart, so that extremes do not tie. */
const scatter = (elements: boolean): Cases =>
  fc.tuple(fc.integer({ min: 2, max: 4 }), size, fc.constantFrom(...REDUCTIONS)).chain(([rows, cols, kind]) =>
    fc
      .shuffledSubarray(
        Array.from({ length: rows }, (_, i) => i),
        { minLength: 1 },
      )
      .map((chosen) => ({
        inputs: [
          { dims: [rows, cols], apart: 0 },
          {
            dims: [chosen.length, elements ? cols : 1],
            values: elements ? chosen.flatMap((i) => new Array<number>(cols).fill(i)) : chosen,
            fixed: 'fed' as const,
            dtype: 'int64' as const,
          },
          { dims: [chosen.length, cols], apart: 0.1 },
        ],
        attributes: { reduction: text(kind) },
      })),
  );

const sliced: Cases = dims(1, 3).chain((shape) =>
  fc
    .tuple(...shape.map((dim) => fc.tuple(fc.nat(dim - 1), fc.nat(dim - 1), fc.integer({ min: 1, max: 3 }), flag)))
    .map((bounds) => {
      const ranges = bounds.map(([a, b, step, back]) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        return back ? [high, low - 1 < 0 ? -100 : low - 1, -step] : [low, high + 1, step];
      });
      const column = (i: number) => list(ranges.map((range) => range[i]!));
      return { inputs: [{ dims: shape }, column(0), column(1), list(shape.map((_, i) => i)), column(2)] };
    }),
);

const plainSlice: Cases = fc.tuple(size, size, size).map(([before, run, after]) => ({
  inputs: [{ dims: [2, before + run + after] }, list([before]), list([before + run]), list([1])],
}));

const normalised = (bias: boolean): Cases =>
  dims(2, 3).chain((shape) =>
    fc.tuple(fc.integer({ min: 1, max: shape.length - 1 }), flag).map(([axis, negative]) => {
      const full = [...shape.slice(0, axis), ...shape.slice(axis).map((dim) => dim + 1)];
      const rest = full.slice(axis);
      return {
        inputs: [{ dims: full }, { dims: rest }, ...(bias ? [{ dims: rest }] : [])],
        attributes: { axis: int(negative ? axis - shape.length : axis) },
      };
    }),
  );

const image = fc.tuple(size, size, size, size).map(([n, c, h, w]) => [n, c, h + 1, w + 1]);

/** Cases of every operator that has a rule. A name without cases does not compile. */
export const CASES: Readonly<Record<DifferentiableOp, Cases>> = {
  Abs: unary({ apart: 0 }),
  Acos: unary({ range: [-0.8, 0.8] }),
  Acosh: unary({ range: [1.5, 3] }),
  Add: binary(),
  Asin: unary({ range: [-0.8, 0.8] }),
  Asinh: unary(),
  Atan: unary(),
  Atanh: unary({ range: [-0.8, 0.8] }),
  AveragePool: pool('average'),
  BatchNormalization: image.map((shape) => ({
    inputs: [
      { dims: shape },
      channelled(shape),
      channelled(shape),
      channelled(shape),
      { ...channelled(shape), range: [0.5, 2] as const },
    ],
  })),
  Cast: dims().map((shape) => ({ inputs: [{ dims: shape }], attributes: { to: int(11) } })),
  CastLike: dims().map((shape) => ({ inputs: [{ dims: shape }, { dims: [1], fixed: 'fed' }] })),
  Celu: unary({ apart: 0 }, { alpha: float(0.7) }),
  Clip: fc.tuple(dims(), flag, flag).map(([shape, low, high]) => ({
    inputs: [{ dims: shape, apart: 0 }, low ? scalarOf(-0.5) : null, ...(high ? [scalarOf(0.4)] : [])],
  })),
  Compress: fc.tuple(dims(2, 3), flag).chain(([shape, flat]) =>
    (flat ? fc.constant(0) : axisOf(shape)).chain((axis) => {
      const length = flat ? count(shape) : shape.at(axis)!;
      return fc.array(fc.nat(1), { minLength: length - 1, maxLength: length - 1 }).map((truth): Draft => ({
        inputs: [
          { dims: shape },
          { dims: [length], values: [1, ...truth], fixed: 'constant' as const, dtype: 'bool' as const },
        ],
        attributes: flat ? {} : { axis: int(axis) },
      }));
    }),
  ),
  Concat: overAxis((shape, axis) => ({
    inputs: [{ dims: shape }, { dims: shape.with(axis, 2) }, { dims: shape.with(axis, 1), fixed: 'fed' }],
  })),
  Conv: fc.oneof(conv, patchConv),
  ConvTranspose: convTranspose,
  Cos: unary(),
  Cosh: unary(),
  CumSum: dims().chain((shape) =>
    fc.tuple(axisOf(shape), flag, flag).map(([axis, exclusive, reverse]) => ({
      inputs: [{ dims: shape }, { dims: [], values: [axis], fixed: 'constant', dtype: 'int64' }],
      attributes: { exclusive: int(exclusive ? 1 : 0), reverse: int(reverse ? 1 : 0) },
    })),
  ),
  DepthToSpace: fc.tuple(size, flag).map(([channels, crd]) => ({
    inputs: [{ dims: [2, channels * 4, 2, 3] }],
    attributes: { blocksize: int(2), mode: text(crd ? 'CRD' : 'DCR') },
  })),
  DequantizeLinear: fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 }), fc.nat(2))
    .map(([rows, blocks, kind]): Draft => {
      const shape = [rows, blocks * 2];
      const values = Array.from({ length: count(shape) }, (_, i) => ((i * 7) % 23) - 9);
      const scale = [[], [shape[1]!], [rows, blocks]][kind]!;
      return {
        inputs: [
          { dims: shape, values, fixed: 'fed', dtype: 'int8' },
          { dims: scale, range: [0.2, 1] },
        ],
        attributes: { axis: int(1), ...(kind === 2 ? { block_size: int(2) } : {}) },
        opset: 21,
        single: true,
      };
    }),
  Div: fc.oneof(
    binary({}, { range: [0.5, 2] }),
    dims().map((shape) => ({ inputs: [{ dims: shape }, scalarOf(0.8)] })),
  ),
  Dropout: unary(),
  Einsum: fc.tuple(size, size, size, size, fc.nat(8)).map(([i, j, k, l, kind]) => {
    const forms: readonly (readonly [equation: string, ...inputs: (readonly number[])[]])[] = [
      ['ij,jk->ik', [i, j], [j, k]],
      ['bij,bkj->bik', [l, i, j], [l, k, j]],
      ['ij->j', [i, j]],
      ['ij,kl->ik', [i, j], [k, l]],
      ['ij,jk,kl->il', [i, j], [j, k], [k, l]],
      ['...ij,...jk->...ik', [l, i, j], [l, j, k]],
      ['...ij,jk', [l, i, j], [j, k]],
      ['ii->i', [i, i]],
      ['iji,j->ij', [i, j, i], [j]],
    ];
    const [equation, ...inputs] = forms[kind]!;
    return { inputs: inputs.map((shape) => ({ dims: shape })), attributes: { equation: text(equation) } };
  }),
  Elu: unary({ apart: 0 }, { alpha: float(0.7) }),
  Erf: unary(),
  Exp: unary(),
  Expand: broadcastPair.map(([a, b]) => ({ inputs: [{ dims: a }, list(b)] })),
  Flatten: dims().chain((shape) =>
    fc.nat(shape.length).map((axis) => ({ inputs: [{ dims: shape }], attributes: { axis: int(axis) } })),
  ),
  Gather: fc.oneof(gather, gatherRun),
  GatherElements: gatherElements,
  GatherND: gatherND,
  Gelu: fc.oneof(unary({ range: [-3, 3] }), unary({ range: [-3, 3] }, { approximate: text('tanh') })),
  Gemm: products(true),
  GlobalAveragePool: image.map((shape) => ({ inputs: [{ dims: shape }] })),
  GlobalLpPool: image.map((shape) => ({ inputs: [{ dims: shape, apart: 0 }], attributes: { p: int(3) } })),
  GlobalMaxPool: image.map((shape) => ({ inputs: [{ dims: shape, apart: 0 }] })),
  GroupNormalization: fc.tuple(size, fc.integer({ min: 1, max: 2 }), size).map(([n, groups, w]) => {
    const shape = [n, groups * 2, 2, w + 1];
    return {
      inputs: [{ dims: shape }, channelled(shape), channelled(shape)],
      attributes: { num_groups: int(groups) },
      opset: 21,
      single: true,
    };
  }),
  HardSigmoid: unary({ apart: 0 }),
  HardSwish: unary({ apart: 0 }),
  Identity: unary(),
  InstanceNormalization: image.map((shape) => ({ inputs: [{ dims: shape }, channelled(shape), channelled(shape)] })),
  LRN: fc.tuple(size, fc.constantFrom(1, 3, 5), size).map(([n, near, w]) => ({
    inputs: [{ dims: [n, 4, 2, w] }],
    attributes: { size: int(near), alpha: float(0.5), beta: float(0.6), bias: float(1.2) },
  })),
  LayerNormalization: normalised(true),
  LeakyRelu: unary({ apart: 0 }, { alpha: float(0.2) }),
  Log: unary({ range: [0.5, 2] }),
  LogSoftmax: overAxis(),
  LpNormalization: overAxis((shape, axis) => ({
    inputs: [{ dims: shape, apart: 0 }],
    attributes: { axis: int(axis), p: int((shape.length % 2) + 1) },
  })),
  LpPool: pool('lp'),
  MatMul: matMul,
  Max: fc.oneof(
    binary({ apart: 0 }, { apart: 0.1 }),
    unary(),
    broadcastPair.map(([a, b]) => ({
      inputs: [
        { dims: a, apart: 0 },
        { dims: b, apart: 0.1 },
        { dims: a, apart: 0.05 },
      ],
    })),
  ),
  MaxPool: pool('max'),
  Mean: several(),
  MeanVarianceNormalization: image.map((shape) => ({ inputs: [{ dims: [2, ...shape.slice(1)] }] })),
  Min: binary({ apart: 0 }, { apart: 0.1 }),
  Mish: unary({ range: [-3, 3] }),
  // Quotients stay away from whole numbers, where the remainder jumps.
  Mod: dims().map((shape) => ({
    inputs: [
      { dims: shape, range: [1.1, 1.8] as const },
      { dims: shape.slice(-1), range: [0.93, 1.02] as const },
    ],
    attributes: { fmod: int(1) },
  })),
  Mul: fc.oneof(
    binary(),
    dims().map((shape) => ({ inputs: [{ dims: shape }], twice: true })),
  ),
  Neg: unary(),
  PRelu: dims().chain((shape) =>
    fc.nat(shape.length).map((drop) => ({ inputs: [{ dims: shape, apart: 0 }, { dims: shape.slice(drop) }] })),
  ),
  Pad: fc.oneof(
    fc
      .tuple(dims(1, 2), fc.constantFrom('reflect', 'edge', 'wrap'), fc.integer({ min: -1, max: 3 }), flag)
      .map(([small, mode, amount, ahead]) => {
        const shape = small.map((dim) => dim + 4);
        const some = shape.map((_, i) => (i === 0 ? amount : 1));
        const none = shape.map(() => 0);
        return {
          inputs: [{ dims: shape }, list(ahead ? [...some, ...none] : [...some, ...some])],
          attributes: { mode: text(mode) },
        };
      }),
    dims(1, 2).map((shape) => ({
      inputs: [{ dims: shape }, list([...shape.map(() => 1), ...shape.map(() => 2)]), { dims: [] }],
    })),
    dims(1, 2).chain((shape) =>
      fc
        .array(fc.integer({ min: 0, max: 2 }), { minLength: 2 * shape.length, maxLength: 2 * shape.length })
        .map((pads) => ({
          inputs: [{ dims: shape }, list(pads)],
        })),
    ),
  ),
  Pow: fc.oneof(
    binary({ range: [0.5, 2] }, { range: [-1, 2] }),
    fc.tuple(dims(), fc.constantFrom(1, 2, 3, 0.5, -1)).map(([shape, p]) => ({
      inputs: [{ dims: shape, range: [0.5, 2] as const }, scalarOf(p)],
    })),
  ),
  RMSNormalization: normalised(false).map((draft) => ({ ...draft, opset: 23 })),
  Reciprocal: unary({ range: [0.5, 2] }),
  ReduceL1: reductionOf({ apart: 0 }),
  ReduceL2: reductionOf(),
  ReduceLogSum: reductionOf({ range: [0.5, 2] }),
  ReduceLogSumExp: reductionOf(),
  ReduceMax: reductionOf({ apart: 0 }),
  ReduceMean: reductionOf(),
  ReduceMin: reductionOf({ apart: 0 }),
  ReduceProd: reductionOf({ range: [0.5, 1.5] }),
  ReduceSum: reductionOf(),
  ReduceSumSquare: reductionOf(),
  Relu: unary({ apart: 0 }),
  Reshape: dims(2, 3).map((shape) => ({ inputs: [{ dims: shape }, list([-1, shape[0]!])] })),
  Resize: fc.oneof(resize, resizeMore),
  ReverseSequence: fc.tuple(size, size, size, flag).chain(([a, b, c, batchFirst]) =>
    fc
      .array(fc.integer({ min: 1, max: batchFirst ? b : a }), {
        minLength: batchFirst ? a : b,
        maxLength: batchFirst ? a : b,
      })
      .map((lengths) => ({
        inputs: [{ dims: [a, b, c] }, { ...list(lengths), fixed: 'fed' as const }],
        attributes: { batch_axis: int(batchFirst ? 0 : 1), time_axis: int(batchFirst ? 1 : 0) },
      })),
  ),
  ScatterElements: scatter(true),
  ScatterND: scatter(false),
  Selu: unary({ apart: 0 }),
  Shrink: unary({ apart: 0.02 }, { lambd: float(0.4), bias: float(0.2) }).map((draft) => ({ ...draft, single: true })),
  Sigmoid: unary(),
  SimplifiedLayerNormalization: normalised(false).map((draft) => ({ ...draft, single: true })),
  Sin: unary(),
  Sinh: unary(),
  Slice: fc.oneof(sliced, plainSlice),
  Softmax: overAxis(),
  Softplus: unary(),
  Softsign: unary({ apart: 0 }),
  SpaceToDepth: size.map((channels) => ({
    inputs: [{ dims: [2, channels, 4, 6] }],
    attributes: { blocksize: int(2) },
  })),
  Split: fc.tuple(size, size, size, flag).map(([a, b, c, equal]) => ({
    inputs: [{ dims: [2, equal ? 3 * a : a + b + c] }, ...(equal ? [] : [list([a, b, c])])],
    attributes: { axis: int(1), ...(equal ? { num_outputs: int(3) } : {}) },
    outputs: 3,
  })),
  Sqrt: unary({ range: [0.5, 2] }),
  Squeeze: dims(0, 2).map((shape) => ({ inputs: [{ dims: [1, ...shape, 1] }, list([0, -1])] })),
  Sub: binary(),
  Sum: several(),
  Swish: unary({}, { alpha: float(1.3) }).map((draft) => ({ ...draft, opset: 24 })),
  Tan: unary(),
  Tanh: unary(),
  ThresholdedRelu: unary({ apart: 0 }, { alpha: float(0.3) }),
  Tile: dims().chain((shape) =>
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: shape.length, maxLength: shape.length }).map((repeats) => ({
      inputs: [{ dims: shape }, list(repeats)],
    })),
  ),
  TopK: overAxis((shape, axis) => ({
    inputs: [{ dims: shape, apart: 0 }, list([Math.max(1, shape.at(axis)! - 1)])],
    outputs: 2,
  })),
  Transpose: dims().chain((shape) =>
    fc
      .shuffledSubarray(
        shape.map((_, i) => i),
        { minLength: shape.length },
      )
      .map((perm) => ({ inputs: [{ dims: shape }], attributes: { perm: ints(perm) } })),
  ),
  Trilu: fc.tuple(dims(2, 3), flag, fc.integer({ min: -1, max: 1 })).map(([shape, upper, k]) => ({
    inputs: [{ dims: shape }, { dims: [], values: [k], fixed: 'constant', dtype: 'int64' }],
    attributes: { upper: int(upper ? 1 : 0) },
  })),
  Unsqueeze: dims(0, 2).map((shape) => ({ inputs: [{ dims: shape }, list([0, -1])] })),
  Where: fc.tuple(broadcastPair, fc.array(flag, { minLength: 64, maxLength: 64 })).map(([[a, b], truth]) => ({
    inputs: [
      { dims: a, values: truth.slice(0, count(a)).map(Number), fixed: 'fed', dtype: 'bool' },
      { dims: b },
      { dims: a },
    ],
  })),
};

/** A packed weight [n, k] of random codes with a scale for each block. */
const packed = (op: 'nbits' | 'bnb4'): Cases =>
  fc
    .tuple(fc.constantFrom(16, 32), fc.constantFrom(32, 64), fc.constantFrom(4, 8), fc.infiniteStream(fc.nat(255)))
    .map(([block, k, drawn, stream]) => {
      const n = 4;
      const bits = op === 'nbits' ? drawn : 4;
      const codes = Array.from({ length: (n * k * bits) / 8 }, () => stream.next().value as number);
      const scales = { range: [0.01, 0.1] as const, fixed: 'constant' as const };
      const weight = { values: codes, dtype: 'uint8' as const, fixed: 'constant' as const };
      const shape = { K: int(k), N: int(n), block_size: int(block) };
      return {
        single: true,
        inputs: [
          { dims: [2, 3, k] },
          { ...weight, dims: op === 'nbits' ? [n, k / block, (block * bits) / 8] : [codes.length] },
          { ...scales, dims: op === 'nbits' ? [n, k / block] : [(n * k) / block] },
        ],
        attributes: op === 'nbits' ? { ...shape, bits: int(bits) } : { ...shape, quant_type: int(drawn / 4 - 1) },
      };
    });

export const MICROSOFT_CASES: Readonly<Record<MicrosoftOp, Cases>> = {
  FusedMatMul: products(false),
  Gelu: unary({ range: [-3, 3] }),
  MatMulBnb4: packed('bnb4'),
  MatMulNBits: packed('nbits'),
};
