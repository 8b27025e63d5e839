import { float, int } from '../graph.ts';
import type { Node } from '../graph.ts';
import type { Pattern } from './pattern.ts';
import type { Recognised } from './index.ts';

/**
 * What exporters before operator set 17 write out, as the one LayerNormalization operator:
 *
 *     d = x − mean(x);  y = d / √(mean(d²) + ε) · γ + β      over the last axis
 */
export function layerNormalisation(pattern: Pattern, node: Node): Recognised | undefined {
  if (node.op !== 'Div' || node.domain !== '') return undefined;
  const [centred, deviation] = node.inputs as [string, string];
  const difference = pattern.made(centred, 'Sub');
  const x = difference?.inputs[0];
  if (x === undefined || meanOf(pattern, difference!.inputs[1]) !== x) return undefined;
  const sum = pattern.made(pattern.made(deviation, 'Sqrt')?.inputs[0], 'Add');
  const variance = sum?.inputs.find((input) => pattern.number(input) === undefined);
  const epsilon = variance === undefined ? undefined : pattern.number(pattern.other(sum, 'Add', variance) ?? '');
  if (epsilon === undefined || !isSquare(pattern, meanOf(pattern, variance), centred)) return undefined;

  const scaled = pattern.reader(node.outputs[0]!);
  const gamma = pattern.other(scaled, 'Mul', node.outputs[0]!);
  const last = scaled && pattern.reader(scaled.outputs[0]!);
  const beta = last && pattern.other(last, 'Add', scaled.outputs[0]!);
  const size = pattern.graph.dims(x).at(-1)!;
  const isVector = (name: string | undefined): name is string => {
    const dims = name === undefined ? undefined : pattern.graph.constants.get(name)?.dims;
    return dims?.length === 1 && dims[0] === size;
  };
  if (!isVector(gamma) || !isVector(beta)) return undefined;
  return {
    last: last!,
    op: 'LayerNormalization',
    inputs: [x, gamma, beta],
    attributes: { axis: int(-1), epsilon: float(epsilon) },
    opset: 17,
  };
}

/** What a value is the mean of, over the last axis and keeping it. */
function meanOf(pattern: Pattern, value: string | undefined): string | undefined {
  const node = pattern.made(value, 'ReduceMean');
  const x = node?.inputs[0];
  if (x === undefined) return undefined;
  const dims = pattern.graph.dims(x);
  const axes = pattern.numbers(node!.inputs[1]);
  const last = axes?.length === 1 && (axes[0] === -1 || axes[0] === dims.length - 1);
  return last && pattern.graph.dims(value!).length === dims.length ? x : undefined;
}

function isSquare(pattern: Pattern, value: string | undefined, x: string): boolean {
  if (pattern.beside(pattern.made(value, 'Pow'), 'Pow', 2) === x) return true;
  return pattern.made(value, 'Mul')?.inputs.every((input) => input === x) ?? false;
}
