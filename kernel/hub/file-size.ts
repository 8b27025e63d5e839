const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes for people, in decimal units as the Hub shows them: '541 MB', '1.99 GB', '742 B'. */
export function fileSize(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes * 1.0005)) / 3)));
  const value = bytes / 1000 ** power;
  const rounded = power === 0 || value >= 99.5 ? value.toFixed(0) : value.toPrecision(3);
  return `${rounded} ${UNITS[power]!}`;
}
