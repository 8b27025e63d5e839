import type { Progress } from '../attribution/scorer.ts';

/** How far a download is; `step` and `steps` are bytes of the whole. */
export interface PullProgress extends Progress {
  readonly unit: 'bytes';
  /** Bytes per second over the last seconds; undefined at the beginning. */
  readonly rate?: number;
  /** The file that brought this news. */
  readonly file: {
    /** Its path in the repository. */
    readonly name: string;
    readonly bytes: number;
    readonly size: number;
    /** 1 for the first. */
    readonly number: number;
    readonly of: number;
  };
}

/** The rate is that of this long, in ms: long enough to be calm, short enough to be true. */
const WINDOW = 5000;

/** Adds up what the files of a download report. Bytes that were there before count as done, and not for the rate. */
export class PullMeter {
  readonly #stage: string;
  readonly #files: readonly { readonly path: string; readonly size: number }[];
  readonly #onProgress: (progress: PullProgress) => void;
  readonly #now: () => number;
  readonly #bytes: (number | undefined)[];
  /** Bytes received so far, now and up to `WINDOW` ago. */
  #received = 0;
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  /** @param now a clock in ms */
  constructor(
    stage: string,
    files: readonly { readonly path: string; readonly size: number }[],
    onProgress: (progress: PullProgress) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#stage = stage;
    this.#files = files;
    this.#onProgress = onProgress;
    this.#now = now;
    this.#bytes = files.map(() => undefined);
  }

  /** File `index` now has so many bytes. */
  report(index: number, bytes: number): void {
    const before = this.#bytes[index];
    this.#bytes[index] = bytes;
    const now = this.#now();
    // The first news of a file is of what was kept from an earlier time; less than before is a file begun anew.
    if (before !== undefined && bytes > before) this.#received += bytes - before;
    this.#samples.push({ at: now, bytes: this.#received });
    while (this.#samples.length > 2 && now - this.#samples[1]!.at > WINDOW) this.#samples.shift();
    const step = this.#bytes.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    const steps = this.#files.reduce((sum, { size }) => sum + size, 0);
    const rate = this.#rate(now);
    const { path, size } = this.#files[index]!;
    this.#onProgress({
      stage: this.#stage,
      unit: 'bytes',
      step,
      steps,
      part: `${index + 1}/${this.#files.length} ${path} ${Math.floor(size > 0 ? (100 * bytes) / size : 100)} %`,
      ...(rate !== undefined && { rate }),
      ...(rate !== undefined && rate > 0 && { remainingMs: ((steps - step) / rate) * 1000 }),
      file: { name: path, bytes, size, number: index + 1, of: this.#files.length },
    });
  }

  #rate(now: number): number | undefined {
    const { at, bytes } = this.#samples[0]!;
    return now - at < 50 ? undefined : ((this.#received - bytes) * 1000) / (now - at);
  }
}
