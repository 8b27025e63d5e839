/** The parts of a Jupyter notebook (nbformat 4) that a report shows. */
import * as z from 'zod';
import { LensError } from '../errors.ts';

/** nbformat stores text whole or as a list of lines. */
const text = z.union([z.string(), z.array(z.string()).transform((lines) => lines.join(''))]);

/** By MIME type; JSON types hold any JSON. */
const bundle = z.record(z.string(), z.unknown());

const output = z.discriminatedUnion('output_type', [
  z.object({ output_type: z.literal('stream'), name: z.string().default('stdout'), text }),
  z.object({ output_type: z.literal('display_data'), data: bundle }),
  z.object({ output_type: z.literal('execute_result'), data: bundle }),
  z.object({
    output_type: z.literal('error'),
    ename: z.string().default('Error'),
    evalue: z.string().default(''),
    traceback: z.array(z.string()).default([]),
  }),
]);

const attachments = z.record(z.string(), bundle).default({});

const cell = z.discriminatedUnion('cell_type', [
  z.object({ cell_type: z.literal('markdown'), source: text, attachments }),
  z.object({ cell_type: z.literal('raw'), source: text }),
  z.object({
    cell_type: z.literal('code'),
    source: text,
    execution_count: z.number().nullish(),
    outputs: z.array(output).default([]),
  }),
]);

const notebook = z.object({
  nbformat: z.literal(4),
  metadata: z
    .object({
      title: z.string().optional(),
      kernelspec: z.object({ language: z.string().optional() }).optional(),
      language_info: z.object({ name: z.string().optional() }).optional(),
    })
    .default({}),
  cells: z.array(cell),
});

export type Notebook = z.infer<typeof notebook>;
export type NotebookCell = Notebook['cells'][number];
export type NotebookOutput = z.infer<typeof output>;
export type MimeBundle = z.infer<typeof bundle>;

/** @throws {LensError} when the value is no notebook of version 4, naming the place */
export function readNotebook(value: unknown): Notebook {
  const result = notebook.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue?.path.join('.');
  throw new LensError(
    `this is not a Jupyter notebook of version 4${place ? ` (at ${place}: ${issue?.message})` : ''}`,
    'Save it as .ipynb with a current Jupyter or VS Code and try again',
  );
}

/** A MIME bundle's text of a type, whichever way it is stored. */
export function bundleText(data: MimeBundle, type: string): string | undefined {
  const value = text.safeParse(data[type]);
  return value.success ? value.data : undefined;
}
