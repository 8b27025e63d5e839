/** `lvlm-lens onnx differentiate MODEL` */
import path from 'node:path';
import type { Command } from 'commander';
import { differentiate } from '../autodiff/file.ts';
import { LensError } from '../errors.ts';
import { note, print } from './terminal.ts';

interface DifferentiateFlags {
  readonly of: readonly string[];
  readonly wrt: readonly string[];
  readonly output?: string;
  readonly shape: readonly string[];
  readonly dim: readonly string[];
  readonly sum?: boolean;
  readonly copyWeights?: boolean;
}

/** Adds the command `onnx` with its own commands. */
export function addOnnxCommand(program: Command): void {
  const onnx = program.command('onnx').description('gradients of any ONNX file, as ONNX files');

  onnx
    .command('differentiate')
    .description('write a standard ONNX file that computes an output and its gradient with respect to inputs')
    .argument('<model>', 'path of an .onnx file')
    .requiredOption('--of <output>', 'the output to differentiate; repeatable', collect)
    .requiredOption('--wrt <input>', 'the input to differentiate with respect to; repeatable', collect)
    .option('-o, --output <file>', 'where to write; default: beside the model, its name with .gradient.onnx')
    .option('--shape <name=sizes>', 'shape of an input, such as pixel_values=1,3,224,224; repeatable', collect, [])
    .option('--dim <name=size>', 'size of a named dimension, such as batch_size=1; repeatable', collect, [])
    .option('--sum', 'sum the elements of the output instead of adding an input that weighs them')
    .option(
      '--copy-weights',
      'copy the weights, so that the file stands alone; otherwise it refers to those of the model',
    )
    .action(differentiateCommand);
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

function differentiateCommand(model: string, flags: DifferentiateFlags): void {
  const { of, wrt, shape, dim, sum = false, copyWeights = false } = flags;
  const { dir, name } = path.parse(model);
  const output = flags.output ?? path.join(dir, `${name}.gradient.onnx`);
  const derived = differentiate({
    ...{ model, of, wrt },
    shapes: Object.fromEntries(shape.map((text) => sizes('--shape', text))),
    dims: Object.fromEntries(dim.map((text) => sizes('--dim', text)).map(([key, [size]]) => [key, size!])),
    weigh: sum ? 'ones' : 'input',
  });
  const written = derived.write(output, { weights: copyWeights ? 'copy' : 'refer' });
  for (const file of written) note(`wrote ${file}`);
  const typed = (value: string): string => {
    const { dtype, dims } = derived.graph.type(value);
    return `${value}  ${dtype}[${dims.join(', ')}]`;
  };
  const roles = new Map(Object.entries(derived.cotangents).map(([value, input]) => [input, `weighs ${value}`]));
  const gradients = new Map(Object.entries(derived.gradients).map(([value, gradient]) => [gradient, value]));
  const role = (text: string | undefined): string => (text === undefined ? '' : `  ${text}`);
  print(
    [
      'inputs',
      ...derived.inputs.map((input) => `  ${typed(input.name)}${role(roles.get(input.name))}`),
      'outputs',
      ...derived.graph.outputs.map((value) => {
        const of = gradients.get(value);
        return `  ${typed(value)}${role(of === undefined ? undefined : `gradient with respect to ${of}`)}`;
      }),
    ].join('\n'),
  );
}

/** 'name=1,3,224,224' → the name and the sizes. */
function sizes(option: string, text: string): [name: string, sizes: number[]] {
  const at = text.lastIndexOf('=');
  const numbers = text.slice(at + 1).split(/[,x]/);
  if (at < 1 || !numbers.every((size) => /^\d+$/.test(size.trim()))) {
    throw new LensError(
      `${option} "${text}" is not of the form name=sizes`,
      option === '--dim' ? 'Write it as batch_size=1' : 'Write it as pixel_values=1,3,224,224',
    );
  }
  return [text.slice(0, at), numbers.map(Number)];
}
