/** How long the parts of a task took, in milliseconds by name. */
export class Stopwatch {
  readonly milliseconds: Record<string, number> = {};

  async time<Result>(part: string, work: () => Promise<Result>): Promise<Result> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.milliseconds[part] = (this.milliseconds[part] ?? 0) + performance.now() - began;
    }
  }
}
