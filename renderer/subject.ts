/** What a panel is about at a moment: which segment is looked at, which are held, and which map that shows. */
import type { DocumentImage, Explanation, LensDocument } from '../kernel/document.ts';
import { PIN_COLOURS } from './colour-maps.ts';
import { fieldOf, mainMap, type Field, type Scale } from './saliency.ts';
import { segmentWith, tokensField, type Segment } from './segments.ts';
import { selectedAt } from './selection.ts';
import type { Store, TokenReference, ViewState } from './store.ts';
import { mapSubject, visibleToken } from './wording.ts';

/** One explanation of the document, with what its parts need in common. */
export interface Panel {
  readonly document: LensDocument;
  /** Its index. */
  readonly index: number;
  readonly explanation: Explanation;
  readonly image: DocumentImage;
  readonly store: Store<ViewState>;
  /** Which of this panel's tokens a reference means, if any. */
  readonly ownToken: (reference: TokenReference) => number | null;
  readonly scaleOf: (field: Field, state: ViewState) => Scale;
  readonly signal: AbortSignal;
}

export interface ShownMap {
  readonly field: Field;
  /** What it is a map of, as part of a sentence. */
  readonly subject: string;
  readonly method: string;
}

/** A held segment with its colour. */
export interface Pin {
  readonly segment: Segment;
  /** None of its tokens may have a map. */
  readonly field: Field | undefined;
  readonly colour: string;
}

function segmentOf({ explanation, ownToken }: Panel, state: ViewState, reference: TokenReference): Segment | undefined {
  const token = ownToken(reference);
  return token === null ? undefined : segmentWith(explanation, state.segmentation, token);
}

/** The segment under the pointer or the focus. */
export function hoveredSegment(panel: Panel, state: ViewState): Segment | undefined {
  return state.hoveredToken ? segmentOf(panel, state, state.hoveredToken) : undefined;
}

/** The held segments, in the order in which they were pinned. */
export function pinsOf(panel: Panel, state: ViewState): readonly Pin[] {
  const segments = state.pinnedTokens.flatMap((reference) => segmentOf(panel, state, reference) ?? []);
  return [...new Set(segments)].map((segment, at) => ({
    segment,
    field: tokensField(panel.explanation, segment.tokens),
    colour: PIN_COLOURS[at % PIN_COLOURS.length]!,
  }));
}

/** The segment that the panel is about: the hovered one, else the one pinned last. */
export function activeSegment(panel: Panel, state: ViewState): Segment | undefined {
  return hoveredSegment(panel, state) ?? pinsOf(panel, state).at(-1)?.segment;
}

/** The pins that are shown in one picture, each in its colour: none unless that was asked for and there are several. */
export function blendedPins(panel: Panel, state: ViewState): readonly (Pin & { readonly field: Field })[] {
  if (state.together !== 'blend' || hoveredSegment(panel, state)) return [];
  const pins = pinsOf(panel, state).flatMap((pin) => (pin.field ? [{ ...pin, field: pin.field }] : []));
  return pins.length > 1 ? pins : [];
}

/** The map that a panel shows: that of the segment it is about, else the selected tokens' joint one. */
export function shownMap(panel: Panel, state: ViewState): ShownMap | undefined {
  const { explanation } = panel;
  const main = mainMap(explanation);
  if (!main) return undefined;
  const segment = activeSegment(panel, state);
  const own = segment && tokensField(explanation, segment.tokens);
  if (segment && own) return { field: own, subject: `“${visibleToken(segment.text)}”`, method: main.method };
  const selected = [...selectedAt(explanation.answer, state.alpha)];
  const changed = state.alpha !== null && String(selected) !== String(selectedTokens(explanation));
  const mean = changed ? tokensField(explanation, selected) : undefined;
  if (mean) return { field: mean, subject: `the selected tokens, as the mean of their maps`, method: main.method };
  return { field: fieldOf(main), subject: mapSubject(main), method: main.method };
}

const selectedTokens = ({ answer }: Explanation): readonly number[] => [...selectedAt(answer, null)];
