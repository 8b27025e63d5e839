/** Token ids in which the picture's features stand at the image tokens. */
export interface Prompt {
  readonly ids: readonly number[];
  /** Ascending; as many as there are feature rows. */
  readonly imagePositions: readonly number[];
}

/** A stretch of a sequence: text, embedded from its ids, or features of the picture. */
export interface Run {
  readonly kind: 'text' | 'image';
  readonly length: number;
}

/** The stretches of a prompt, alternating. */
export function runsOf({ ids, imagePositions }: Prompt): Run[] {
  const image = new Set(imagePositions);
  const runs: Run[] = [];
  ids.forEach((_, i) => {
    const kind = image.has(i) ? 'image' : 'text';
    const last = runs.at(-1);
    if (last?.kind === kind) runs[runs.length - 1] = { kind, length: last.length + 1 };
    else runs.push({ kind, length: 1 });
  });
  return runs;
}

/** Position ids of a prompt: one list of the prompt's length for each axis, and the position of the next token on all axes. */
export interface Positions {
  readonly axes: readonly (readonly number[])[];
  readonly next: number;
}

/** 0, 1, 2, … or from another first position on. */
export function counted(length: number, first = 0): Positions {
  return { axes: [Array.from({ length }, (_, i) => first + i)], next: first + length };
}

/** The positions of a prompt and of `count` tokens after it. */
export function continued({ axes, next }: Positions, count: number): number[][] {
  const after = Array.from({ length: count }, (_, i) => next + i);
  return axes.map((axis) => [...axis, ...after]);
}

/** What an input of the decoder with one number for each token may depend on. */
export interface TokenPlace {
  readonly image: boolean;
  /** Part of the prompt, not of the answer. */
  readonly prompt: boolean;
}

/** Values of a per-token input for a prompt and `count` tokens after it. */
export function tokenValues(
  value: (place: TokenPlace) => number,
  { ids, imagePositions }: Prompt,
  count: number,
): number[] {
  const image = new Set(imagePositions);
  return [
    ...ids.map((_, i) => value({ image: image.has(i), prompt: true })),
    ...new Array<number>(count).fill(value({ image: false, prompt: false })),
  ];
}
