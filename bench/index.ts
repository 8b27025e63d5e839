/** `npm run bench -- NAME [options]`: one benchmark a file. */

interface Bench {
  /** @param args what follows the bench's name */
  run(args: readonly string[]): Promise<void>;
}

/** Every benchmark by its name. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  gradient: () => import('./gradient.ts'),
  startup: () => import('./startup.ts'),
  faithfulness: () => import('./faithfulness.ts'),
  family: () => import('./family.ts'),
  ablation: () => import('./ablation.ts'),
  fullsize: () => import('./fullsize.ts'),
  renderer: () => import('./renderer.ts'),
};

const [name, ...args] = process.argv.slice(2);
const bench = name === undefined ? undefined : BENCHES[name];
if (bench === undefined) {
  console.error(
    `${name === undefined ? 'which benchmark?' : `there is no benchmark "${name}".`} There are: ${Object.keys(BENCHES).join(', ')}`,
  );
  process.exitCode = 2;
} else {
  try {
    await (await bench()).run(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
