/** The answer as running text, each segment of it a chip: its colour says how much the segment depends on the image. */
import type { Explanation, LensDocument } from '../kernel/document.ts';
import { element } from './element.ts';
import { onScale, valueAt, type Scale } from './saliency.ts';
import { mappedTokens, segmentsOf, tokensField, type Segment, type Segmentation } from './segments.ts';
import { selectedAt } from './selection.ts';
import { activePlace, type TokenReference, type ViewState } from './store.ts';
import { activeSegment, pinsOf, type Panel } from './subject.ts';
import { createStrengthLayer, type ChipStrength } from './strength-layer.ts';
import { FULL_COLOUR, placeValue, segmentLine, visibleToken } from './wording.ts';

/** A place matters for a segment where the segment's map reaches this share of its scale. */
const MATTERS = 0.5;

/** How strong one segment's map is at a place. */
export interface Strength {
  readonly segment: Segment;
  readonly value: number;
  /** On the scale, 0 … 1. */
  readonly level: number;
  readonly scale: Scale;
}

/** The strength of every segment with a map at the looked-at place, in reading order. */
export function strengthsAt(panel: Panel, state: ViewState): readonly Strength[] {
  const place = activePlace(state);
  if (!place) return [];
  return segmentsOf(panel.explanation, state.segmentation).flatMap((segment) => {
    const field = tokensField(panel.explanation, segment.tokens);
    if (!field) return [];
    const value = valueAt(field, place);
    const scale = panel.scaleOf(field, state);
    return [{ segment, value, level: onScale(value, scale), scale }];
  });
}

/** Whether a place matters for a segment. */
export function matters({ level }: Strength, { threshold }: Pick<ViewState, 'threshold'>): boolean {
  return level >= Math.max(MATTERS, threshold);
}

/** The largest size of a segment's ratio in the document, so that one scale of colour serves all of its chips. */
export function largestSegmentRatio({ explanations }: LensDocument, by: Segmentation): number {
  return explanations
    .flatMap((explanation) => segmentsOf(explanation, by).map(({ llr }) => Math.abs(llr)))
    .reduce((a, b) => Math.max(a, b), FULL_COLOUR);
}

interface Chip {
  readonly segment: Segment;
  readonly element: HTMLElement;
  /** What it last showed, so that only what changes is touched. */
  shown: ChipState;
}

interface ChipState {
  readonly active: boolean;
  readonly selected: boolean;
  /** Whether the looked-at place matters for it. */
  readonly marked: boolean;
  /** The colour in which it is held, or ''. */
  readonly pin: string;
  /** Its value at the looked-at place, as it is written there. */
  readonly value: string;
}

const PLAIN: ChipState = { active: false, selected: false, marked: false, pin: '', value: '' };

function show(chip: Chip, now: ChipState): void {
  const { element: shown, shown: before } = chip;
  chip.shown = now;
  for (const name of ['active', 'selected', 'marked'] as const) {
    if (now[name] !== before[name]) shown.classList.toggle(name, now[name]);
  }
  if (now.pin !== before.pin) {
    shown.classList.toggle('pinned', now.pin !== '');
    shown.setAttribute('aria-pressed', String(now.pin !== ''));
    shown.style.setProperty('--pin', now.pin);
  }
  // Neither has a style: strengths are drawn on their own layer.
  if (now.value !== before.value) shown.dataset['place'] = now.value;
}

function createChips({ text }: Explanation['answer'], segments: readonly Segment[], explanation: Explanation) {
  const chips: Chip[] = [];
  const parts: (Node | string)[] = [];
  let written = 0;
  for (const segment of segments) {
    const from = Math.max(segment.start, written);
    const piece = text.slice(from, segment.end);
    const blank = piece.length - piece.trimStart().length;
    const word = piece.trim();
    parts.push(text.slice(written, from), piece.slice(0, blank));
    written = Math.max(written, segment.end);
    const chip = element(
      'span',
      {
        class: 'chip',
        role: 'button',
        tabindex: chips.length === 0 ? 0 : -1,
        'aria-pressed': 'false',
        'aria-label': `${word || visibleToken(segment.text)}: ${segmentLine(explanation, segment)}`,
      },
      word || visibleToken(segment.text),
    );
    chip.classList.toggle('against', segment.llr < 0);
    chip.classList.toggle('mapped', mappedTokens(explanation, segment.tokens) > 0);
    chip.classList.toggle('unspoken', word === '');
    chips.push({ segment, element: chip, shown: PLAIN });
    parts.push(chip, word === '' ? '' : piece.slice(blank + word.length));
  }
  parts.push(text.slice(written));
  return { chips, parts };
}

export function createAnswer(panel: Panel): HTMLElement {
  const { explanation, store, signal, index, document: lens } = panel;
  const answer = element('div', { class: 'answer', role: 'group', dir: 'auto' });
  const layer = createStrengthLayer(answer, signal);
  let chips: readonly Chip[] = [];
  let cut: Segmentation | undefined;

  const chipOf = (event: Event): Chip | undefined => {
    const path = event.composedPath();
    return chips.find((chip) => path.includes(chip.element));
  };
  const referenceTo = ({ segment }: Chip): TokenReference => ({ panel: index, token: segment.tokens[0]! });
  const look = (chip: Chip | undefined): void => {
    const looked = store.get().hoveredToken;
    if (!chip) store.set({ hoveredToken: null });
    else if (looked?.panel !== index || !chip.segment.tokens.includes(looked.token)) {
      store.set({ hoveredToken: referenceTo(chip) });
    }
  };
  const toggle = (chip: Chip): void => {
    const { pinnedTokens } = store.get();
    const kept = pinnedTokens.filter((reference) => {
      const token = panel.ownToken(reference);
      return token === null || !chip.segment.tokens.includes(token);
    });
    store.set({ pinnedTokens: kept.length < pinnedTokens.length ? kept : [...pinnedTokens, referenceTo(chip)] });
  };
  const makeCurrent = (current: Chip): void => {
    for (const chip of chips) chip.element.tabIndex = chip === current ? 0 : -1;
  };

  const on = <K extends keyof HTMLElementEventMap>(type: K, listener: (event: HTMLElementEventMap[K]) => void): void =>
    answer.addEventListener(type, listener, { signal });
  on('pointerover', (event) => look(chipOf(event)));
  on('pointerleave', () => look(undefined));
  on('focusin', (event) => look(chipOf(event)));
  on('focusout', () => look(undefined));
  on('click', (event) => {
    const chip = chipOf(event);
    if (!chip || document.getSelection()?.type === 'Range') return;
    makeCurrent(chip);
    toggle(chip);
  });
  on('keydown', (event) => {
    const chip = chipOf(event);
    if (!chip || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = KEYS[event.key]?.(chips.indexOf(chip), chips);
    if (to !== undefined) {
      makeCurrent(chips[to]!);
      chips[to]!.element.focus();
    } else if (event.key === 'Enter' || event.key === ' ') toggle(chip);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const cutAnew = (segmentation: Segmentation): void => {
    const made = createChips(explanation.answer, segmentsOf(explanation, segmentation), explanation);
    const largest = largestSegmentRatio(lens, segmentation);
    chips = made.chips;
    cut = segmentation;
    for (const chip of chips) {
      const strength = Math.min(Math.abs(chip.segment.llr) / largest, 1);
      chip.element.style.setProperty('--strength', strength.toFixed(3));
    }
    answer.replaceChildren(layer.canvas, ...made.parts);
    layer.moved();
    answer.setAttribute('aria-label', `Answer, in ${segmentation}`);
    answer.dataset['segmentation'] = segmentation;
  };

  store.watch((state) => {
    if (cut !== state.segmentation) cutAnew(state.segmentation);
    const active = activeSegment(panel, state);
    const pins = new Map(pinsOf(panel, state).map(({ segment, colour }) => [segment, colour]));
    const selected = selectedAt(explanation.answer, state.alpha);
    const strengths = new Map(strengthsAt(panel, state).map((strength) => [strength.segment, strength]));
    answer.classList.toggle('placed', strengths.size > 0);
    const drawn: ChipStrength[] = [];
    for (const chip of chips) {
      const { segment } = chip;
      const strength = strengths.get(segment);
      const marked = strength !== undefined && matters(strength, state);
      const value = strength ? placeValue(strength.value, strength.scale) : '';
      show(chip, {
        active: segment === active,
        selected: segment.tokens.some((token) => selected.has(token)),
        marked,
        pin: pins.get(segment) ?? '',
        value,
      });
      if (strength) drawn.push({ chip: chip.element, level: strength.level, value, marked });
    }
    if (drawn.length > 0) layer.draw(drawn);
    else layer.clear();
  }, signal);
  return answer;
}

type Move = (at: number, chips: readonly Chip[]) => number;

const KEYS: Readonly<Record<string, Move>> = {
  ArrowLeft: (at) => Math.max(at - 1, 0),
  ArrowRight: (at, chips) => Math.min(at + 1, chips.length - 1),
  ArrowUp: (at, chips) => acrossLines(at, chips, -1),
  ArrowDown: (at, chips) => acrossLines(at, chips, 1),
  Home: () => 0,
  End: (_, chips) => chips.length - 1,
};

/** The chip on the next or previous line that lies nearest below or above. */
function acrossLines(at: number, chips: readonly Chip[], direction: 1 | -1): number {
  const boxes = chips.map((chip) => chip.element.getBoundingClientRect());
  const here = boxes[at]!;
  const line = Math.min(here.height, 30);
  const beyond = boxes
    .map((box) => (box.top - here.top) * direction)
    .map((distance) => (distance > line / 2 ? distance : Infinity));
  const nearest = Math.min(...beyond);
  if (nearest === Infinity) return at;
  const centre = (here.left + here.right) / 2;
  const distance = (index: number): number => Math.abs((boxes[index]!.left + boxes[index]!.right) / 2 - centre);
  return chips
    .map((_, index) => index)
    .filter((index) => beyond[index]! < nearest + line / 2)
    .reduce((best, index) => (distance(index) < distance(best) ? index : best));
}
