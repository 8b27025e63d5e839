import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Mask } from './attribution/scorer.ts';
import type {
  Agreement,
  AnswerToken,
  CompareAxis,
  Curve,
  EncoderContribution,
  Explanation,
  LensDocument,
  Metric,
  Provenance,
  SaliencyMap,
} from './document.ts';
import { LensError } from './errors.ts';
import type { ImageSource } from './image/picture.ts';
import { cardPng } from './report/card.ts';
import { markdown } from './report/markdown.ts';
import { mimeBundle } from './report/mime-bundle.ts';
import { renderPage } from './report/page.ts';
import { decodedMap } from './saliency-bytes.ts';

/** What a cell's last expression is asked for, in every JavaScript kernel that knows the convention. */
const DISPLAY = Symbol.for('Jupyter.display');

/** A map with its values. */
export interface ResultMap extends Mask {
  readonly label: string;
  readonly role: SaliencyMap['role'];
  /** Indexes of the tokens that it explains. */
  readonly tokens: readonly number[];
  readonly method: string;
  /** rows · cols values, row-major, row 0 at the top; high where the image matters. */
  readonly data: Float32Array;
  /** Whether looking confirmed anything of it; undefined where the method does not look. */
  readonly confirmed?: boolean;
}

const FORMATS: Readonly<
  Record<string, (document: LensDocument) => string | Uint8Array | Promise<string | Uint8Array>>
> = {
  '.json': (document) => `${JSON.stringify(document, undefined, 2)}\n`,
  '.png': cardPng,
  '.html': (document) => renderPage(document),
  '.md': markdown,
};

/** A document that a notebook displays and that can be saved. */
export class LensResult {
  readonly document: LensDocument;

  constructor(document: LensDocument) {
    this.document = document;
  }

  /** The MIME bundle: the interactive view's data, a picture, Markdown and plain text. */
  async [DISPLAY](): Promise<Record<string, unknown>> {
    return mimeBundle(this.document);
  }

  toJSON(): LensDocument {
    return this.document;
  }

  /**
   * Writes the result to a file. @param file its ending says as what: .html (interactive, stands alone), .png, .md or .json
   * @returns the file's absolute path
   */
  async save(file: string): Promise<string> {
    const format = FORMATS[path.extname(file).toLowerCase()];
    if (!format) {
      throw new LensError(`cannot save as "${file}"`, `The file's name must end in ${Object.keys(FORMATS).join(', ')}`);
    }
    const content = await format(this.document);
    try {
      await writeFile(file, content);
    } catch (cause) {
      throw new LensError(`cannot write "${file}": ${(cause as Error).message}`, 'Is there such a folder?', { cause });
    }
    return path.resolve(file);
  }

  [inspect.custom](): string {
    return this.document.explanations.map(summary).join('\n');
  }
}

/** What `selectTokens` gives: the answer, and what each of its tokens owes to the image. */
export class SelectionResult extends LensResult {
  /** The one explanation of the document. */
  get explanation(): Explanation {
    return this.document.explanations[0]!;
  }

  get question(): string {
    return this.explanation.question;
  }

  get answer(): string {
    return this.explanation.answer.text;
  }

  /** Tokens with their log-likelihoods, their LLR, and whether they were selected and why. */
  get tokens(): readonly AnswerToken[] {
    return this.explanation.answer.tokens;
  }

  /** Tokens that were selected. */
  get selected(): readonly AnswerToken[] {
    return this.tokens.filter(({ selected }) => selected);
  }

  /** Whether any token was selected. */
  get dependsOnImage(): boolean {
    return this.explanation.dependsOnImage;
  }

  /** Whether the answer is right; undefined where no references were given. */
  get correct(): boolean | undefined {
    return this.explanation.correctness?.correct;
  }

  get provenance(): Provenance {
    return this.explanation.provenance;
  }
}

/** Where an explanation came from, for calls that go back there; not a part of the document. */
export interface Origin {
  readonly source: ImageSource;
  /** The model as the caller named it. */
  readonly modelName: string;
}

/** What `explain` gives: a selection with maps, curves and metrics. */
export class ExplanationResult extends SelectionResult {
  readonly #origin: Origin | undefined;

  constructor(document: LensDocument, origin?: Origin) {
    super(document);
    this.#origin = origin;
  }

  /** The picture as it was given; undefined where the document was read from a file. */
  get source(): ImageSource | undefined {
    return this.#origin?.source;
  }

  /** The model as it was named; undefined where the document was read from a file. */
  get modelName(): string | undefined {
    return this.#origin?.modelName;
  }

  /** The joint map first, then one for each token; none where the answer does not depend on the image. */
  get maps(): readonly ResultMap[] {
    return this.explanation.maps.map((map) => {
      const { label, role, tokens, method, confirmed } = map;
      return { label, role, tokens, method, ...decodedMap(map), ...(confirmed !== undefined && { confirmed }) };
    });
  }

  /** The joint map of all selected tokens. */
  get map(): ResultMap | undefined {
    return this.maps.find(({ role }) => role === 'joint');
  }

  /** The smallest share of the image that holds half of the joint map's heat, 0 … ½; undefined without a map. */
  get focus(): number | undefined {
    return this.explanation.focus;
  }

  /** What each encoder contributed, of a model that has several. */
  get encoders(): readonly EncoderContribution[] {
    return this.explanation.encoders ?? [];
  }

  get curves(): readonly Curve[] {
    return this.explanation.curves;
  }

  /** Scores by name: `deletion` (lower is better), `insertion` (higher is better), … */
  get metrics(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.explanation.metrics.map(({ name, value }: Metric) => [name, value]));
  }
}

/** What `compare` gives: several explanations that differ in one thing. */
export class ComparisonResult extends LensResult {
  readonly #origins: readonly (Origin | undefined)[];

  constructor(document: LensDocument, origins: readonly (Origin | undefined)[] = []) {
    super(document);
    this.#origins = origins;
  }

  get axis(): CompareAxis {
    return this.document.axis!;
  }

  get explanations(): readonly ExplanationResult[] {
    const { schemaVersion, images, explanations } = this.document;
    return explanations.map(
      (explanation, i) =>
        new ExplanationResult(
          {
            schemaVersion,
            kind: 'explanation',
            images: [images[explanation.image]!],
            explanations: [{ ...explanation, image: 0 }],
          },
          this.#origins[i],
        ),
    );
  }

  /** How much each pair of joint maps agrees. */
  get agreement(): readonly Agreement[] {
    return this.document.agreement ?? [];
  }
}

/** One line: what was asked, what was answered, and what it rests on. */
function summary({ label, question, answer, dependsOnImage, metrics }: Explanation): string {
  const words = answer.tokens.filter(({ selected }) => selected).map(({ text }) => text.trim());
  const rests = dependsOnImage ? `depends on the image in: ${words.join(', ')}` : 'does not depend on the image';
  const scores = metrics.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ');
  const asked = label === question ? question : `${label}: ${question}`;
  return `${asked} ${answer.text} (${rests}${scores === '' ? '' : `; ${scores}`})`;
}
