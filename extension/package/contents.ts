/** What weighs how much in a package that was made. */
import { openPromise } from 'yauzl';

/** Files that belong together, and the bytes that they take in the package. */
export interface Part {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * The parts of a package, the heaviest first. A part is an npm package, a model, or a folder of ours.
 * @param file path of a .vsix
 */
export async function contents(file: string): Promise<Part[]> {
  const parts = new Map<string, Part>();
  const zip = await openPromise(file);
  try {
    for await (const { fileName, compressedSize } of zip.eachEntry()) {
      const name = partOf(fileName.replace(/^extension\//, ''));
      const { files, bytes } = parts.get(name) ?? { files: 0, bytes: 0 };
      parts.set(name, { name, files: files + 1, bytes: bytes + compressedSize });
    }
  } finally {
    zip.close();
  }
  return [...parts.values()].sort((a, b) => b.bytes - a.bytes);
}

function partOf(file: string): string {
  const inPackage = /^dist\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file);
  if (inPackage) return inPackage[1]!;
  const [first = '', second] = file.split('/');
  if (second === undefined) return 'manifest and texts';
  return first === 'models' ? `${first}/${second}` : first;
}

/** Lines of a table: the parts from `least` bytes on, and the rest together. */
export function table(parts: readonly Part[], least = 200_000): string {
  const small = parts.filter(({ bytes }) => bytes < least);
  const rest = {
    name: `${small.length} more`,
    files: sum(small.map(({ files }) => files)),
    bytes: sum(small.map(({ bytes }) => bytes)),
  };
  return [...parts.filter(({ bytes }) => bytes >= least), rest]
    .map(({ name, files, bytes }) => {
      const count = `${files} ${files === 1 ? 'file' : 'files'}`;
      return `${(bytes / 1e6).toFixed(1).padStart(6)} MB  ${name.padEnd(42)} ${count}`;
    })
    .join('\n');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
