import { floatAttr, intAttr, intsAttr, stringAttr } from '../attributes.ts';
import type { Attributes } from '../graph.ts';
import { activation } from './activations.ts';
import type { FusedSite, Lowering } from './site.ts';

/** Moves the first axis behind the stacked ones: [m, …stack, k] becomes [stack…, m, k]. */
function batchLast(site: FusedSite, x: string): string {
  const rank = site.dims(x).length;
  const stack = Array.from({ length: Math.max(0, rank - 2) }, (_, i) => i + 1);
  return site.b.transpose(x, [...stack, 0, rank - 1]);
}

/** α·A′·B′, where ′ may move the first axis behind the stacked ones and then swap the last two. */
export const fusedMatMul: Lowering = (site) => {
  const { b, node } = site;
  const flag = (name: string) => intAttr(node, name, 0) !== 0;
  // Without that the operator has a rule of its own.
  if (!flag('transBatchA') && !flag('transBatchB')) return undefined;
  const side = (x: string, batch: boolean, trans: boolean): string => {
    const moved = batch ? batchLast(site, x) : x;
    return trans ? b.swap(moved) : moved;
  };
  const left = side(site.x(0), flag('transBatchA'), flag('transA'));
  const right = side(site.x(1), flag('transBatchB'), flag('transB'));
  return [b.scale(b.op('MatMul', [left, right]), floatAttr(node, 'alpha', 1))];
};

/** The old name of FusedMatMul. */
export const transposeMatMul: Lowering = (site) => [
  site.b.op('FusedMatMul', [site.x(0), site.x(1)], site.node.attributes, { domain: 'com.microsoft' }),
];

const without = (attributes: Attributes, ...names: readonly string[]): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));

/** activation(Conv(x) + z) */
export const fusedConv: Lowering = (site) => {
  const { b, node } = site;
  const inputs = [site.x(0), site.x(1), ...(site.optional(2) === undefined ? [] : [site.x(2)])];
  const conv = b.op('Conv', inputs, without(node.attributes, 'activation', 'activation_params'));
  const z = site.optional(3);
  const sum = z === undefined ? conv : b.add(conv, z);
  const name = stringAttr(node, 'activation', '');
  return [name === '' ? sum : activation(site, sum, name, floatsOf(site, 'activation_params'))];
};

/** activation(Gemm(a, b, c)) */
export const fusedGemm: Lowering = (site) => {
  const { b, node } = site;
  const own = Object.keys(node.attributes).filter((name) => name.startsWith('activation'));
  const gemm = b.op(
    'Gemm',
    [...node.inputs].filter((name) => name !== ''),
    without(node.attributes, ...own),
  );
  const name = stringAttr(node, 'activation', '');
  const parameters = ['activation_alpha', 'activation_beta'].flatMap((key) =>
    node.attributes[key] === undefined ? [] : [floatAttr(node, key)],
  );
  return [name === '' ? gemm : activation(site, gemm, name, parameters)];
};

function floatsOf(site: FusedSite, name: string): readonly number[] {
  const attribute = site.node.attributes[name];
  return attribute?.kind === 'floats' ? attribute.value : [];
}

/** A convolution of images as rows: [n, h, w, c]; the kernel is [m, c/group, h, w] as ever. */
export const nhwcConv: Lowering = (site) => {
  const { b, node } = site;
  const spatial = site.dims(site.x()).length - 2;
  const axes = Array.from({ length: spatial }, (_, i) => i);
  const first = b.transpose(site.x(), [0, spatial + 1, ...axes.map((axis) => axis + 1)]);
  const inputs = [first, site.x(1), ...(site.optional(2) === undefined ? [] : [site.x(2)])];
  const y = b.op('Conv', inputs, { ...node.attributes, strides: { kind: 'ints', value: strides(site, spatial) } });
  return [b.transpose(y, [0, ...axes.map((axis) => axis + 2), 1])];
};

const strides = (site: FusedSite, spatial: number): readonly number[] =>
  intsAttr(site.node, 'strides', new Array<number>(spatial).fill(1));
