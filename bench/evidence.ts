import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { PixelMask } from '../kernel/metrics/pointing-game.ts';

const FOLDER = new URL('../test/evidence/', import.meta.url);

const SceneObject = z.object({ id: z.int(), name: z.string(), text: z.string().optional(), mask: z.array(z.int()) });

const Scene = z.object({
  file: z.string(),
  kind: z.string(),
  question: z.string(),
  answer: z.string(),
  needsImage: z.boolean(),
  evidence: z.union([z.array(z.int()), z.literal('background')]),
  words: z.array(z.object({ text: z.string(), start: z.int(), end: z.int(), objects: z.array(z.int()) })),
  objects: z.array(SceneObject),
});

const Evidence = z.object({ width: z.int(), height: z.int(), model: z.string(), scenes: z.array(Scene) });

/** A picture, a question about it, its right answer, and where in the picture that answer rests. */
export type EvidenceScene = z.infer<typeof Scene>;
export type Evidence = z.infer<typeof Evidence>;

/** The scenes that suit a model: a set of its own where there is one, and else those of `pocket`. */
export async function evidenceFolder(model: string): Promise<URL> {
  for (const name of (await readdir(new URL('../', FOLDER))).filter((each) => each.startsWith('evidence-'))) {
    const folder = new URL(`../${name}/`, FOLDER);
    if ((await readEvidence(folder)).model === model) return folder;
  }
  return FOLDER;
}

/** The held-out scenes of test/evidence; its README says what the fields mean. */
export async function readEvidence(folder: URL = FOLDER): Promise<Evidence> {
  return Evidence.parse(JSON.parse(await readFile(new URL('evidence.json', folder), 'utf8')));
}

export const picturePath = (scene: EvidenceScene, folder: URL = FOLDER): string =>
  fileURLToPath(new URL(scene.file, folder));

/** At most so many scenes, evenly spread over all, so that every kind of question is among them. */
export function spread(scenes: readonly EvidenceScene[], limit: number): EvidenceScene[] {
  if (limit >= scenes.length) return [...scenes];
  return Array.from({ length: limit }, (_, i) => scenes[Math.floor((i * scenes.length) / limit)]!);
}

/** Where some objects are visible: the union of their masks, or everything outside all objects. */
export function regionOf(
  { objects }: EvidenceScene,
  { width, height }: Evidence,
  wanted: readonly number[] | 'background',
): PixelMask {
  const all = wanted === 'background';
  const data = new Uint8Array(width * height).fill(all ? 1 : 0);
  for (const { id, mask } of objects) {
    if (!all && !wanted.includes(id)) continue;
    let at = 0;
    // Lengths of runs, outside and inside in turn.
    for (const [run, length] of mask.entries()) {
      if (run % 2 === 1) data.fill(all ? 0 : 1, at, at + length);
      at += length;
    }
  }
  return { width, height, data };
}
