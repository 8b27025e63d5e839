/** The answer as running text, each token of it a chip: its colour says how much the token depends on the image. */
import type { Explanation } from '../kernel/document.ts';
import { element } from './element.ts';
import { fieldOf, onScale, tokenMap, valueAt, type Field, type Scale } from './saliency.ts';
import { activePlace, type Store, type ViewState } from './store.ts';
import { fixed, tokenLine, visibleToken } from './wording.ts';

/** A place matters for a token where the token's map reaches this share of its scale. */
const MATTERS = 0.5;

export interface AnswerOptions {
  readonly explanation: Explanation;
  readonly panel: number;
  readonly store: Store<ViewState>;
  readonly activeToken: (state: ViewState) => number | null;
  readonly pinnedToken: (state: ViewState) => number | null;
  readonly scaleOf: (field: Field, state: ViewState) => Scale;
  /** The LLR that takes the strongest colour. */
  readonly largest: number;
  readonly signal: AbortSignal;
}

/** One token that a place matters for. */
export interface Mark {
  readonly token: number;
  readonly value: number;
  /** On the scale, 0 … 1. */
  readonly level: number;
}

/** The tokens whose maps reach at least half of their scale at the looked-at place, strongest first. */
export function marksAt(
  explanation: Explanation,
  state: ViewState,
  scaleOf: (field: Field, state: ViewState) => Scale,
): readonly Mark[] {
  const place = activePlace(state);
  if (!place) return [];
  return explanation.answer.tokens
    .flatMap((_, token) => {
      const map = tokenMap(explanation, token);
      if (!map) return [];
      const field = fieldOf(map);
      const value = valueAt(field, place);
      return [{ token, value, level: onScale(value, scaleOf(field, state)) }];
    })
    .filter(({ level }) => level >= Math.max(MATTERS, state.threshold))
    .sort((a, b) => b.level - a.level);
}

export function createAnswer(options: AnswerOptions): HTMLElement {
  const { explanation, panel, store, scaleOf, signal, largest } = options;
  const { text, tokens } = explanation.answer;
  const answer = element('div', {
    class: 'answer',
    role: 'group',
    'aria-label': 'Answer, token by token',
    dir: 'auto',
  });

  const chips: HTMLElement[] = [];
  let written = 0;
  tokens.forEach((token, index) => {
    const piece = text.slice(Math.max(token.start, written), token.end);
    const blank = piece.length - piece.trimStart().length;
    const word = piece.trim();
    answer.append(text.slice(written, Math.max(token.start, written)), piece.slice(0, blank));
    written = Math.max(written, token.end);
    const chip = element(
      'span',
      {
        class: 'chip',
        role: 'button',
        tabindex: index === 0 ? 0 : -1,
        'aria-pressed': 'false',
        'aria-label': `${word || visibleToken(token.text)}: ${tokenLine(token)}`,
        style: { '--strength': Math.min(Math.abs(token.llr) / largest, 1).toFixed(3) },
      },
      word || visibleToken(token.text),
    );
    chip.classList.toggle('against', token.llr < 0);
    chip.classList.toggle('selected', token.selected);
    chip.classList.toggle('mapped', tokenMap(explanation, index) !== undefined);
    chip.classList.toggle('unspoken', word === '');
    chips.push(chip);
    answer.append(chip, word === '' ? '' : piece.slice(blank + word.length));
  });
  answer.append(text.slice(written));

  const indexOf = (event: Event): number => {
    const chip = event.composedPath().find((node) => node instanceof HTMLElement && node.classList.contains('chip'));
    return chip ? chips.indexOf(chip as HTMLElement) : -1;
  };
  const look = (token: number): void => {
    const looked = store.get().hoveredToken;
    if (token < 0) store.set({ hoveredToken: null });
    else if (looked?.panel !== panel || looked.token !== token) store.set({ hoveredToken: { panel, token } });
  };
  const toggle = (token: number): void => {
    const release = options.pinnedToken(store.get()) === token;
    store.set({ pinnedToken: release ? null : { panel, token } });
  };
  const rove = (to: number): void => {
    const chip = chips[to];
    if (!chip) return;
    for (const other of chips) other.tabIndex = other === chip ? 0 : -1;
    chip.focus();
  };

  answer.addEventListener('pointerover', (event) => look(indexOf(event)), { signal });
  answer.addEventListener('pointerleave', () => look(-1), { signal });
  answer.addEventListener('focusin', (event) => look(indexOf(event)), { signal });
  answer.addEventListener('focusout', () => look(-1), { signal });
  answer.addEventListener(
    'click',
    (event) => {
      const token = indexOf(event);
      if (token < 0 || document.getSelection()?.type === 'Range') return;
      for (const [at, chip] of chips.entries()) chip.tabIndex = at === token ? 0 : -1;
      toggle(token);
    },
    { signal },
  );
  answer.addEventListener(
    'keydown',
    (event) => {
      const at = indexOf(event);
      if (at < 0) return;
      const to = KEYS[event.key]?.(at, chips);
      if (to !== undefined) rove(to);
      else if (event.key === 'Enter' || event.key === ' ') toggle(at);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );

  store.watch((state) => {
    const active = options.activeToken(state);
    const pinned = options.pinnedToken(state);
    const marks = new Map(marksAt(explanation, state, scaleOf).map((mark) => [mark.token, mark]));
    chips.forEach((chip, index) => {
      chip.classList.toggle('active', index === active);
      chip.classList.toggle('pinned', index === pinned);
      chip.setAttribute('aria-pressed', String(index === pinned));
      const mark = marks.get(index);
      chip.classList.toggle('marked', mark !== undefined);
      // Drawn by the style sheet: it is no part of the answer's text or of the chip's name; the read-out says it.
      chip.dataset['place'] = mark ? fixed(mark.value) : '';
    });
  }, signal);
  return answer;
}

type Move = (at: number, chips: readonly HTMLElement[]) => number;

const KEYS: Readonly<Record<string, Move>> = {
  ArrowLeft: (at) => Math.max(at - 1, 0),
  ArrowRight: (at, chips) => Math.min(at + 1, chips.length - 1),
  ArrowUp: (at, chips) => acrossLines(at, chips, -1),
  ArrowDown: (at, chips) => acrossLines(at, chips, 1),
  Home: () => 0,
  End: (_, chips) => chips.length - 1,
};

/** The chip on the next or previous line that lies nearest below or above. */
function acrossLines(at: number, chips: readonly HTMLElement[], direction: 1 | -1): number {
  const boxes = chips.map((chip) => chip.getBoundingClientRect());
  const here = boxes[at]!;
  const beyond = boxes
    .map((box) => (box.top - here.top) * direction)
    .map((distance) => (distance > here.height / 2 ? distance : Infinity));
  const nearest = Math.min(...beyond);
  if (nearest === Infinity) return at;
  const centre = (here.left + here.right) / 2;
  const distance = (index: number): number => Math.abs((boxes[index]!.left + boxes[index]!.right) / 2 - centre);
  return chips
    .map((_, index) => index)
    .filter((index) => beyond[index]! < nearest + here.height / 2)
    .reduce((best, index) => (distance(index) < distance(best) ? index : best));
}
