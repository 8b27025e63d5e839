/** The view of one document. Every host mounts this one. */
import type { LensDocument } from '../kernel/document.ts';
import { createAgreement } from './agreement.ts';
import { createControls, createSegmentation, peekByKey } from './controls.ts';
import { createCurveNote } from './curves.ts';
import { createDifference } from './difference.ts';
import { element } from './element.ts';
import { createTokenLegend } from './legend.ts';
import { createPanel } from './panel.ts';
import { whatToSay } from './readout.ts';
import { ownScale, sharedScale, type Field, type Scale } from './saliency.ts';
import { createSaving } from './save.ts';
import { createScoreTable } from './score-table.ts';
import { RELEASED, createStore, type TokenReference, type ViewState } from './store.ts';
import { STYLES } from './styles/index.ts';
import type { Panel } from './subject.ts';
import { findingsTable } from './tables.ts';
import { createTextTable } from './text-table.ts';
import { followTheme } from './theme.ts';
import { AXIS_TITLES } from './wording.ts';

/** Quiet time after which a screen reader is told of the last change. */
const SPEAK_AFTER_MS = 200;

/** How a document is first shown. Maps of different methods have different units: only one method's share a scale unasked. */
function initialState({ kind, axis }: LensDocument): ViewState {
  return {
    mode: 'heat',
    sampling: 'smooth',
    colourMap: 'viridis',
    opacity: 0.7,
    threshold: 0,
    scale: kind === 'comparison' && axis !== 'methods' ? 'shared' : 'own',
    segmentation: 'tokens',
    together: 'multiples',
    alpha: null,
    dark: false,
    ...RELEASED,
  };
}

/**
 * Which token of a panel a reference means: its own, or the one at the same place of the same answer, so that panels that
 * differ in method or image follow each other.
 */
function tokenOf({ explanations }: LensDocument, panel: number, reference: TokenReference): number | null {
  if (reference.panel === panel) return reference.token;
  const [theirs, ours] = [explanations[reference.panel], explanations[panel]];
  const same = theirs?.answer.text === ours?.answer.text && theirs?.answer.tokens.length === ours?.answer.tokens.length;
  return same ? reference.token : null;
}

function createPanels(lens: LensDocument, store: Panel['store'], signal: AbortSignal): readonly Panel[] {
  const hasMaps = lens.explanations.some(({ maps }) => maps.length > 0);
  let shared: Scale | undefined;
  const sharedOnce = (): Scale => (shared ??= hasMaps ? sharedScale(lens) : [0, 1]);
  const scaleOf = (field: Field, { scale }: ViewState): Scale => (scale === 'shared' ? sharedOnce() : ownScale(field));
  return lens.explanations.map((explanation, index) => ({
    document: lens,
    index,
    explanation,
    image: lens.images[explanation.image]!,
    store,
    ownToken: (reference) => tokenOf(lens, index, reference),
    scaleOf,
    signal,
  }));
}

/** What stands around the panels of a comparison. */
function comparisonParts(lens: LensDocument, panels: readonly Panel[], store: Panel['store'], signal: AbortSignal) {
  const mapped = lens.explanations.some(({ maps }) => maps.length > 0);
  const before = [
    element('p', { class: 'title' }, lens.axis ? AXIS_TITLES[lens.axis] : 'Comparison'),
    mapped ? createControls({ store, signal }) : null,
  ];
  const after = [
    element(
      'div',
      { class: 'reading' },
      createTokenLegend({ document: lens, store, signal }),
      createSegmentation({ store, signal, name: 'segmentation' }),
    ),
    lens.explanations.some(({ curves }) => curves.length > 0) ? createCurveNote() : null,
    createTextTable(findingsTable(lens.explanations), 'findings'),
    createScoreTable(lens),
    createAgreement(lens, signal),
    createDifference(panels, store, signal),
  ];
  const present = (parts: readonly (HTMLElement | null)[]): HTMLElement[] => parts.filter((part) => part !== null);
  return { before: present(before), after: present(after) };
}

/** Says aloud what a change means, once it is quiet. */
function createSpeech(panels: readonly Panel[], store: Panel['store'], signal: AbortSignal): HTMLElement {
  const live = element('div', { class: 'spoken', role: 'status', 'aria-live': 'polite' });
  let speaking: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener('abort', () => clearTimeout(speaking));
  let before = store.get();
  store.watch((state) => {
    const [from, to] = [before, state];
    before = state;
    const spoken = whatToSay(panels, from, to);
    if (spoken === undefined) return;
    clearTimeout(speaking);
    speaking = setTimeout(() => (live.textContent = spoken), SPEAK_AFTER_MS);
  }, signal);
  return live;
}

/** Escape lets go of everything that is held; where nothing is, the key is the host's. */
function releaseByEscape(view: HTMLElement, store: Panel['store'], signal: AbortSignal): void {
  view.addEventListener(
    'keydown',
    (event) => {
      const { pinnedTokens, pinnedPlace, step } = store.get();
      if (event.key !== 'Escape' || (pinnedTokens.length === 0 && !pinnedPlace && !step)) return;
      store.set(RELEASED);
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
}

/**
 * Draws a document into a host, inside a shadow root that keeps its styles and those of the page apart.
 * @param document checked by `readDocument`
 * @returns takes the view away again
 */
export function mountView(host: HTMLElement, lens: LensDocument): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLES);
  root.adoptedStyleSheets = [sheet];

  const store = createStore<ViewState>(initialState(lens));
  const view = element('div', { class: 'lens', 'data-kind': lens.kind });
  followTheme(view, signal, ({ dark }) => store.set({ dark }));
  const panels = createPanels(lens, store, signal);
  const grid = element('div', { class: 'panels' }, ...panels.map(createPanel));
  const around = lens.kind === 'comparison' ? comparisonParts(lens, panels, store, signal) : { before: [], after: [] };
  view.append(
    ...around.before,
    grid,
    ...around.after,
    createSaving({ document: lens, panels, store, signal }),
    createSpeech(panels, store, signal),
  );
  peekByKey(view, store, signal);
  releaseByEscape(view, store, signal);
  root.replaceChildren(view);
  return () => {
    ending.abort();
    root.replaceChildren();
  };
}
