/** `lvlm-lens models check FOLDER` */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Coverage, Support } from '../autodiff/coverage.ts';
import { coverage } from '../autodiff/coverage.ts';
import { LensError } from '../errors.ts';
import { fileSize } from '../hub/index.ts';
import { print } from './terminal.ts';

export interface CheckFlags {
  readonly json?: boolean;
  readonly dim?: readonly string[];
  readonly sequence?: string;
}

/** One file's report; `error` where it cannot be read. */
type Checked = Coverage | { readonly file: string; readonly gradient: 'no'; readonly error: string };

/**
 * Reports for each ONNX file of a folder which operators it has, how each is supported, its weights' types, and the memory that a
 * gradient takes.
 *
 * @throws LensError (exit code 1) where a file cannot be explained
 */
export function checkModels(folder: string, flags: CheckFlags): void {
  const files = onnxFiles(folder);
  const sequence = Number(flags.sequence ?? 256);
  if (!Number.isInteger(sequence) || sequence < 1) {
    throw new LensError(
      `--sequence "${String(flags.sequence)}" is no number of tokens`,
      'Write a whole number, such as 256',
    );
  }
  const dims = Object.fromEntries((flags.dim ?? []).map(dimension));
  const reports = files.map((file): Checked => {
    try {
      return { ...coverage(path.join(folder, file), { dims, sequence }), file };
    } catch (error) {
      if (!(error instanceof LensError)) throw error;
      return { file, gradient: 'no', error: error.message };
    }
  });
  print(flags.json === true ? JSON.stringify({ folder, files: reports }, null, 2) : reports.map(text).join('\n\n'));
  const bad = reports.filter(({ gradient }) => gradient === 'no').map(({ file }) => file);
  if (bad.length > 0) {
    throw new LensError(
      `${String(bad.length)} of ${String(files.length)} files cannot be explained: ${bad.join(', ')}`,
      'Take another export of the model (fp32, fp16 or q4), or add what is missing: CONTRIBUTING.md tells how',
    );
  }
}

/** The ONNX files of a folder and of its folders, or the file itself, relative to `folder`. */
function onnxFiles(folder: string): string[] {
  if (!existsSync(folder)) {
    throw new LensError(`there is no folder "${folder}"`, 'Name a folder with .onnx files');
  }
  if (statSync(folder).isFile()) return [''];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.onnx') && statSync(path.join(folder, file)).isFile())
    .sort();
  if (files.length === 0) {
    throw new LensError(`there is no .onnx file in "${folder}"`, 'Name the folder of a model, or its folder onnx/');
  }
  return files;
}

function dimension(given: string): readonly [name: string, size: number] {
  const at = given.lastIndexOf('=');
  const size = Number(given.slice(at + 1));
  if (at < 1 || !Number.isInteger(size) || size < 0) {
    throw new LensError(`--dim "${given}" is not of the form name=size`, 'Write it as sequence_length=512');
  }
  return [given.slice(0, at), size];
}

const MEANING: Readonly<Record<Support, string>> = {
  rule: 'with a gradient rule',
  zero: 'through which nothing flows',
  lowered: 'lowered to primitives',
  static: 'computed when shapes are bound',
  rounds: 'that round to 8 bits',
  missing: 'MISSING',
};

const VERDICT = { yes: 'a gradient passes', 'not needed': 'no gradient needed', no: 'NO gradient passes' } as const;

function text(report: Checked): string {
  const name = report.file === '' ? 'the file' : report.file;
  if ('error' in report) return `${name}\n  cannot be read: ${report.error}`;
  const { operators, weights, memory, gradient, reason, dims } = report;
  const lines: (readonly [string, string])[] = [
    ['gradient', VERDICT[gradient] + (reason === undefined ? '' : `: ${reason}`)],
    ['weights', weights.map(({ dtype, bytes }) => `${dtype} ${fileSize(bytes)}`).join(', ') || 'none'],
  ];
  if (memory !== undefined) {
    const total = fileSize(memory.weights + memory.gradient);
    lines.push([
      'memory',
      `${total} to explain: weights ${fileSize(memory.weights)}, values ${fileSize(memory.gradient)}`,
    ]);
    lines.push(['', `(values of the outputs alone: ${fileSize(memory.forward)})`]);
  }
  const sizes = Object.entries(dims).map(([dim, size]) => `${dim} = ${String(size)}`);
  if (sizes.length > 0) lines.push(['sizes', sizes.join(', ')]);
  for (const [support, meaning] of Object.entries(MEANING)) {
    const uses = operators.filter((use) => use.support === support);
    if (uses.length === 0) continue;
    lines.push(['operators', `${meaning}: ${uses.map((use) => `${use.operator} ×${String(use.count)}`).join(', ')}`]);
  }
  const shown = lines.map(([what, value], i) => `  ${(lines[i - 1]?.[0] === what ? '' : what).padEnd(11)}${value}`);
  return [name, ...shown].join('\n');
}
