/**
 * Whether an answer is right: normalised exact match with any acceptable answer, as VQA's evaluation does it, and for questions with
 * choices which of them the answer means.
 */

/** Number words are the same as their digits. */
const DIGITS: Readonly<Record<string, string>> = Object.fromEntries(
  'zero one two three four five six seven eight nine ten eleven twelve'.split(' ').map((word, i) => [word, String(i)]),
);

const ARTICLES = new Set(['a', 'an', 'the']);

/** An answer without what does not matter: case, punctuation, articles, and whether a number is written in words. */
export function normalisedAnswer(text: string): string {
  const plain = text.normalize('NFKC').toLowerCase().trim();
  const words = plain
    .replace(/['’‘]/gu, '')
    .replace(/(\d),(?=\d{3}\b)/gu, '$1')
    // A point or a sign belongs to a number, elsewhere it is punctuation.
    .replace(/(?<!\d)\.|\.(?!\d)|(?<![\s(]|^)-|-(?!\d)/gu, ' ')
    .replace(/[^\p{L}\p{M}\p{N}\p{Sc}.%-]+/gu, ' ')
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => (Object.hasOwn(DIGITS, word) ? DIGITS[word]! : word));
  const content = words.filter((word) => !ARTICLES.has(word));
  return (content.length > 0 ? content : words).join(' ') || plain;
}

/** 'A', '(b)', 'C. Three', 'The answer is (D)': an option by its letter. 'A dog' is none. */
const LETTER =
  /^(?:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)\s*(?:is|:)?\s*)?(?:\(([a-z])\)|([a-z])(?=[.):,]|\s*$))/iu;

/**
 * Which option an answer means: by its letter, by its text, or because its words are in the answer and no other option's are.
 * @returns its index, or undefined where that cannot be said
 */
export function chosenOption(answer: string, choices: readonly string[]): number | undefined {
  const letter = LETTER.exec(answer.trim());
  const index = (letter?.[1] ?? letter?.[2])?.toLowerCase().charCodeAt(0);
  if (index !== undefined && index - 97 < choices.length) return index - 97;
  const said = normalisedAnswer(answer);
  const options = choices.map(normalisedAnswer);
  const same = options.indexOf(said);
  if (same >= 0) return same;
  const within = [...options.keys()].filter((i) => ` ${said} `.includes(` ${options[i]!} `));
  // 'not open' holds 'open' too: the longest is meant, where it holds all others.
  const [longest] = [...within].sort((a, b) => options[b]!.length - options[a]!.length);
  if (longest === undefined) return undefined;
  return within.every((i) => i === longest || ` ${options[longest]!} `.includes(` ${options[i]!} `))
    ? longest
    : undefined;
}

/**
 * Whether an answer is one of those that are acceptable.
 * @param references acceptable answers; with choices, letters or texts of the right ones
 */
export function isCorrect(answer: string, references: readonly string[], choices: readonly string[] = []): boolean {
  const said = normalisedAnswer(answer);
  const option = chosenOption(answer, choices);
  return references.some((reference) => {
    const right = chosenOption(reference, choices);
    return right === undefined ? normalisedAnswer(reference) === said : right === option;
  });
}
