import type { Attribute, Node } from '../graph.ts';
import { text } from '../graph.ts';
import type { Pattern } from './pattern.ts';
import type { Recognised } from './index.ts';

/**
 * What exporters write out with Erf or Tanh, as the one Gelu operator:
 *
 *     x · (1 + erf(x/√2)) · ½
 *     x · (1 + tanh(√(2/π)·(x + 0.044715·x³))) · ½      each in any order of the factors
 */
export function gelu(pattern: Pattern, node: Node): Recognised | undefined {
  const kind = KINDS[node.op];
  const x = node.domain === '' ? kind?.argument(pattern, node.inputs[0]!) : undefined;
  if (kind === undefined || x === undefined) return undefined;
  const plusOne = pattern.reader(node.outputs[0]!);
  if (pattern.beside(plusOne, 'Add', 1) !== node.outputs[0]) return undefined;
  const last = halfTimes(pattern, plusOne!.outputs[0]!, x);
  return last && { last, op: 'Gelu', inputs: [x], attributes: kind.attributes, opset: 20 };
}

interface Kind {
  /** x, where `value` is what the function is applied to. */
  readonly argument: (pattern: Pattern, value: string) => string | undefined;
  readonly attributes: Record<string, Attribute>;
}

const KINDS: Readonly<Record<string, Kind>> = {
  Erf: {
    argument: (pattern, value) =>
      pattern.beside(pattern.made(value, 'Div'), 'Div', Math.SQRT2) ??
      pattern.beside(pattern.made(value, 'Mul'), 'Mul', Math.SQRT1_2),
    attributes: {},
  },
  Tanh: { argument: cubic, attributes: { approximate: text('tanh') } },
};

/** x of √(2/π)·(x + 0.044715·x³) */
function cubic(pattern: Pattern, value: string): string | undefined {
  const sum = pattern.made(pattern.beside(pattern.made(value, 'Mul'), 'Mul', Math.sqrt(2 / Math.PI)), 'Add');
  return sum?.inputs.find((x) => {
    const term = pattern.other(sum, 'Add', x);
    return term !== undefined && isCube(pattern, pattern.beside(pattern.made(term, 'Mul'), 'Mul', 0.044715), x);
  });
}

/** Whether a value is x³, as a power or as products. */
function isCube(pattern: Pattern, value: string | undefined, x: string): boolean {
  if (pattern.beside(pattern.made(value, 'Pow'), 'Pow', 3) === x) return true;
  const square = pattern.made(pattern.other(pattern.made(value, 'Mul'), 'Mul', x), 'Mul');
  return square?.inputs.every((input) => input === x) ?? false;
}

/** The node that makes ½·x·sum, where nothing else reads what lies between. */
function halfTimes(pattern: Pattern, sum: string, x: string): Node | undefined {
  const first = pattern.reader(sum);
  const factor = pattern.other(first, 'Mul', sum);
  if (first === undefined || factor === undefined) return undefined;
  const product = first.outputs[0]!;
  const second = pattern.reader(product);
  if (factor === x) return pattern.beside(second, 'Mul', 0.5) === product ? second : undefined;
  if (pattern.number(factor) === 0.5) return pattern.other(second, 'Mul', product) === x ? second : undefined;
  return pattern.beside(pattern.made(factor, 'Mul'), 'Mul', 0.5) === x ? first : undefined;
}
