/** One explanation: the picture with its legend, beside the answer with its read-out and curves. */
import type { Explanation, LensDocument } from '../kernel/document.ts';
import { createAnswer, marksAt } from './answer-tokens.ts';
import { createCurveNote, createCurves } from './curves.ts';
import { element } from './element.ts';
import { createHeatLegend, createTokenLegend } from './legend.ts';
import { createPicture, shownMap } from './picture.ts';
import { createProvenance } from './provenance.ts';
import { cellAt, fieldOf, mainMap, tokenMap, valueAt, type Field, type Scale } from './saliency.ts';
import { activePlace, type Store, type TokenReference, type ViewState } from './store.ts';
import { NO_DEPENDENCE, figure, fixed, mapSubject, noDependenceReason, tokenLine, visibleToken } from './wording.ts';

export interface PanelOptions {
  readonly document: LensDocument;
  readonly panel: number;
  readonly store: Store<ViewState>;
  /** Which of this panel's tokens a reference means, if any. */
  readonly ownToken: (reference: TokenReference | null) => number | null;
  readonly scaleOf: (field: Field, state: ViewState) => Scale;
  readonly largest: number;
  readonly signal: AbortSignal;
}

const HINT =
  'Point at a word to see what it rests on, or at the picture to see which words a place matters for. Click or Enter holds.';

/** What the looked-at token or place has to say, as one line of text. */
export function readOut(
  explanation: Explanation,
  token: number | null,
  state: ViewState,
  scaleOf: (field: Field, state: ViewState) => Scale,
): string | undefined {
  const place = activePlace(state);
  const map = shownMap(explanation, token);
  const parts: string[] = [];
  const looked = token === null ? undefined : explanation.answer.tokens[token];
  if (looked && token !== null) {
    const own = tokenMap(explanation, token) ? '' : '. It has no map of its own';
    parts.push(`“${visibleToken(looked.text)}” ${tokenLine(looked)}${own}.`);
  }
  if (place && map) {
    const field = fieldOf(map);
    const cell = cellAt(field, place);
    parts.push(`Row ${cell.row + 1}, column ${cell.col + 1}: ${figure(valueAt(field, cell))}.`);
    const marks = marksAt(explanation, state, scaleOf);
    const words = marks.map(
      (mark) => `${visibleToken(explanation.answer.tokens[mark.token]!.text)} ${fixed(mark.value)}`,
    );
    if (explanation.maps.some(({ role }) => role === 'token')) {
      parts.push(words.length > 0 ? `Matters for ${words.join(', ')}.` : 'Matters for no word in particular.');
    }
  }
  return parts.length > 0 ? parts.join(' ') : undefined;
}

export function createPanel(options: PanelOptions): HTMLElement {
  const { document, panel, store, ownToken, scaleOf, largest, signal } = options;
  const explanation = document.explanations[panel]!;
  const image = document.images[explanation.image]!;
  const compared = document.kind === 'comparison';
  const activeToken = (state: ViewState): number | null => ownToken(state.hoveredToken) ?? ownToken(state.pinnedToken);
  const pinnedToken = (state: ViewState): number | null => ownToken(state.pinnedToken);
  const main = mainMap(explanation);

  const seen = element(
    'div',
    { class: 'seen' },
    createPicture({ image, explanation, store, activeToken, scaleOf, signal }),
  );
  if (main) {
    const legend = createHeatLegend();
    seen.append(legend.element);
    store.watch((state) => {
      const map = shownMap(explanation, activeToken(state)) ?? main;
      const field = fieldOf(map);
      const place = activePlace(state);
      const value = place ? valueAt(field, cellAt(field, place)) : undefined;
      legend.show(state, scaleOf(field, state), `Saliency for ${mapSubject(map)}, by ${map.method}`, value);
    }, signal);
  }

  const readout = element('p', { class: 'readout' });
  store.watch((state) => {
    const said = readOut(explanation, activeToken(state), state, scaleOf);
    readout.classList.toggle('hint', said === undefined);
    readout.textContent =
      said ?? (explanation.maps.length > 0 ? HINT : 'Point at a word to see how much it depends on the image.');
  }, signal);

  const told = element(
    'div',
    { class: 'told' },
    compared && explanation.label === explanation.question
      ? null
      : element('p', { class: 'question' }, explanation.question),
    createAnswer({ explanation, panel, store, activeToken, pinnedToken, scaleOf, largest, signal }),
    explanation.dependsOnImage
      ? null
      : element(
          'div',
          { class: 'statement', role: 'note' },
          element('strong', {}, NO_DEPENDENCE),
          element('p', {}, noDependenceReason(explanation)),
        ),
    readout,
    compared ? null : createTokenLegend(largest, explanation.answer.threshold),
    createCurves(explanation),
    compared || explanation.curves.length === 0 ? null : createCurveNote(),
    createProvenance(explanation),
  );
  return element(
    'div',
    { class: 'panel', role: 'group', 'aria-label': explanation.label },
    compared ? element('p', { class: 'label' }, explanation.label) : null,
    element('div', { class: 'halves' }, seen, told),
  );
}
