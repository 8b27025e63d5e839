/** One module of JupyterLab's shared ones, in each version that somebody offers. */
export type SharedVersions<Exports> = Readonly<Record<string, SharedModule<Exports>>>;

interface SharedModule<Exports> {
  /** Loads it; what it resolves to gives its exports. */
  get(): Promise<() => Exports> | (() => Exports);
  /** Loaded already. JupyterLab's own is, or will be by the time that it is asked for. */
  readonly loaded?: unknown;
  readonly eager?: boolean;
}

/** The version that the most of the page uses: one that is loaded before one that is not, then the highest. */
export function newest<Exports>(versions: SharedVersions<Exports>): SharedModule<Exports> | undefined {
  const order = new Intl.Collator('en', { numeric: true });
  const rank = ({ loaded, eager }: SharedModule<Exports>): number => (loaded || eager ? 1 : 0);
  const [best] = Object.entries(versions).sort(
    ([a, one], [b, other]) => rank(other) - rank(one) || order.compare(b, a),
  );
  return best?.[1];
}
