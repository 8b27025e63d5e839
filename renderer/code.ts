/** The call that makes a result again, as TypeScript: every option as it was, defaults included. */
import type { CompareAxis, Explanation, LensDocument } from '../kernel/document.ts';

/** Options of the call; every other parameter in provenance is one of the method's. */
const CALL = ['tokens', 'baseline', 'maxNewTokens', 'perToken', 'metrics'] as const;

/** What was asked for where the result says what came of it. */
const ASKED = ['baselineAsked', 'thresholdAsked', 'stopWords'] as const;

/** How an option is called that a comparison varies. */
const OPTION: Readonly<Record<CompareAxis, string>> = {
  models: 'model',
  methods: 'method',
  images: 'image',
  questions: 'question',
  answers: 'answer',
};

type Options = Readonly<Record<string, unknown>>;

/** The options of `explain` (or of `selectTokens`, where there was no method) for one explanation. */
export function optionsOf({ images }: LensDocument, explanation: Explanation): Options {
  const { model, question, answer, provenance } = explanation;
  const { parameters, method } = provenance;
  const own = new Set<string>([...CALL, ...ASKED]);
  const ofMethod = Object.entries(parameters).filter(([name]) => !own.has(name));
  const ofCall = CALL.filter((name) => Object.hasOwn(parameters, name)).map(
    (name) => [name, parameters[name]] as const,
  );
  return {
    image: images[explanation.image]?.name ?? 'image.png',
    question,
    ...(answer.source === 'given' && { answer: answer.text }),
    model: model.id,
    ...(method !== 'none' && { method: { name: method, ...Object.fromEntries(ofMethod) } }),
    ...Object.fromEntries(ofCall),
    // The threshold that came of 'auto' would not select stop words again.
    threshold: parameters['stopWords'] === true ? 'auto' : answer.threshold,
    seed: provenance.seed,
  };
}

/** Lines of code that make the document's result again. */
export function reproduction(lens: LensDocument): string {
  const [first] = lens.explanations;
  if (!first) return '';
  if (lens.kind !== 'comparison' || !lens.axis || lens.explanations.length < 2) return explanationCode(lens, first);
  const all = lens.explanations.map((explanation) => optionsOf(lens, explanation));
  const varied = OPTION[lens.axis];
  const shared = Object.fromEntries(
    Object.entries(all[0]!).map(([name, value]) => [name, all.every((one) => same(one[name], value)) ? value : 'auto']),
  );
  return call('compare', { ...shared, [varied]: all.map((one) => one[varied]) }, comments(lens, lens.explanations));
}

/** The same for one explanation of a document. */
export function explanationCode(lens: LensDocument, explanation: Explanation): string {
  const task = explanation.provenance.method === 'none' ? 'selectTokens' : 'explain';
  return call(task, optionsOf(lens, explanation), comments(lens, [explanation]));
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function call(name: string, options: Options, remarks: readonly string[]): string {
  const lines = [
    `import { ${name} } from 'lvlm-lens';`,
    '',
    ...remarks.map((remark) => `// ${remark}`),
    `const result = await ${name}(${literal(options)});`,
  ];
  return `${lines.join('\n')}\n`;
}

/** What a reader needs to know that is no option. Only what cannot hold a line break is written as a comment. */
function comments({ images }: LensDocument, explanations: readonly Explanation[]): readonly string[] {
  const hashes = new Map(
    explanations.map(({ image, provenance }) => [images[image]?.name ?? 'image.png', provenance.imageHash]),
  );
  const versions = Object.entries(explanations[0]!.provenance.versions).filter((pair) => pair.every(plain));
  return [
    ...[...hashes].filter((pair) => pair.every(plain)).map(([name, hash]) => `${name}: SHA-256 ${hash}`),
    ...(versions.length > 0 ? [`Made with ${versions.map((pair) => pair.join(' ')).join(', ')}.`] : []),
  ];
}

const plain = (text: string): boolean => /^[\w.@/ +-]+$/.test(text);

const NAME = /^[A-Za-z_$][\w$]*$/;

/** A value as JavaScript: lists on one line, objects over several. Text is quoted as JSON quotes it, so it stays text. */
function literal(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    const items = value.map((item) => literal(item, `${indent}  `));
    const line = `[${items.join(', ')}]`;
    const short = !line.includes('\n') && line.length + indent.length < 100;
    return short ? line : `[\n${items.map((item) => `${indent}  ${item},\n`).join('')}${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    const lines = entries.map(([name, item]) => {
      const key = NAME.test(name) && name !== '__proto__' ? name : `[${quoted(name)}]`;
      return `${indent}  ${key}: ${literal(item, `${indent}  `)},\n`;
    });
    return lines.length === 0 ? '{}' : `{\n${lines.join('')}${indent}}`;
  }
  return typeof value === 'string' ? quoted(value) : (JSON.stringify(value) ?? 'undefined');
}

function quoted(text: string): string {
  // Line separators and what could end a script are written as escapes.
  const json = JSON.stringify(text).replace(
    /[\u2028\u2029<]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return /['\\]|\\u/.test(json) || text.includes('"') ? json : `'${json.slice(1, -1)}'`;
}
