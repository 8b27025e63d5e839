/** The view of one document. Every host mounts this one. */
import type { LensDocument } from '../kernel/document.ts';
import { createAgreement } from './comparison.ts';
import { createControls } from './controls.ts';
import { createCurveNote } from './curves.ts';
import { element } from './element.ts';
import { createTokenLegend } from './legend.ts';
import { createPanel, readOut } from './panel.ts';
import { ownScale, sharedScale, type Field, type Scale } from './saliency.ts';
import { createSaveButtons } from './save.ts';
import { activeToken, createStore, type TokenReference, type ViewState } from './store.ts';
import { STYLES } from './styles.ts';
import { followTheme } from './theme.ts';
import { AXIS_TITLES, largestRatio } from './wording.ts';

/** Quiet time after which a screen reader is told of the last change. */
const SPEAK_AFTER_MS = 200;

/** Maps of different methods have different units, so only one method's maps share a scale unasked. */
function initialScale({ kind, axis }: LensDocument): ViewState['scale'] {
  return kind === 'comparison' && axis !== 'methods' ? 'shared' : 'own';
}

/**
 * Which token of a panel a reference means: its own, or the one at the same place of the same answer, so that panels that
 * differ in method or image follow each other.
 */
function tokenOf({ explanations }: LensDocument, panel: number, reference: TokenReference | null): number | null {
  if (!reference) return null;
  if (reference.panel === panel) return reference.token;
  const [theirs, ours] = [explanations[reference.panel], explanations[panel]];
  const same = theirs?.answer.text === ours?.answer.text && theirs?.answer.tokens.length === ours?.answer.tokens.length;
  return same ? reference.token : null;
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

  const store = createStore<ViewState>({
    colourMap: 'viridis',
    opacity: 0.7,
    threshold: 0,
    scale: initialScale(lens),
    hoveredToken: null,
    pinnedToken: null,
    hoveredPlace: null,
    pinnedPlace: null,
  });
  const hasMaps = lens.explanations.some(({ maps }) => maps.length > 0);
  const shared: Scale = hasMaps ? sharedScale(lens) : [0, 1];
  const scaleOf = (field: Field, { scale }: ViewState): Scale => (scale === 'shared' ? shared : ownScale(field));
  const largest = largestRatio(lens);
  const compared = lens.kind === 'comparison';

  const view = element('div', { class: 'lens', 'data-kind': lens.kind });
  followTheme(view, signal);
  const saving = createSaveButtons({
    document: lens,
    store,
    activeToken: (panel, state) => tokenOf(lens, panel, activeToken(state)),
    scaleOf,
    signal,
  });
  const bar = element('div', { class: 'toolbar' }, hasMaps ? createControls(store, signal) : null, saving);
  const panels = element(
    'div',
    { class: 'panels' },
    ...lens.explanations.map((_, panel) =>
      createPanel({
        document: lens,
        panel,
        store,
        ownToken: (reference) => tokenOf(lens, panel, reference),
        scaleOf,
        largest,
        signal,
      }),
    ),
  );
  const live = element('div', { class: 'spoken', role: 'status', 'aria-live': 'polite' });
  if (compared) {
    const title = lens.axis ? AXIS_TITLES[lens.axis] : 'Comparison';
    const thresholds = lens.explanations.map(({ answer }) => answer.threshold);
    view.append(element('p', { class: 'title' }, title), panels);
    const agreement = createAgreement(lens);
    if (agreement) view.append(agreement);
    // What holds for every panel is said once.
    view.append(createTokenLegend(largest, Math.min(...thresholds)));
    if (lens.explanations.some(({ curves }) => curves.length > 0)) view.append(createCurveNote());
  } else view.append(panels);
  view.append(bar, live);

  let speaking: ReturnType<typeof setTimeout> | undefined;
  let before = store.get();
  store.watch((state) => {
    const spoken = whatToSay(lens, before, state, scaleOf);
    before = state;
    if (spoken === undefined) return;
    clearTimeout(speaking);
    speaking = setTimeout(() => (live.textContent = spoken), SPEAK_AFTER_MS);
  }, signal);

  view.addEventListener(
    'keydown',
    (event) => {
      const { pinnedToken, pinnedPlace } = store.get();
      if (event.key !== 'Escape' || (!pinnedToken && !pinnedPlace)) return;
      store.set({ pinnedToken: null, pinnedPlace: null, hoveredPlace: null, hoveredToken: null });
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );

  root.replaceChildren(view);
  return () => {
    clearTimeout(speaking);
    ending.abort();
    root.replaceChildren();
  };
}

/** What a screen reader is told of a change. The focus speaks for tokens; holding, letting go and places need words. */
function whatToSay(
  { explanations }: LensDocument,
  before: ViewState,
  now: ViewState,
  scaleOf: (field: Field, state: ViewState) => Scale,
): string | undefined {
  const pinned = now.pinnedToken;
  if (pinned !== before.pinnedToken) {
    if (!pinned) return 'Let go.';
    const held = explanations[pinned.panel]?.answer.tokens[pinned.token];
    return `Held: ${held?.text.trim() ?? ''}.`;
  }
  const moved = now.hoveredPlace !== before.hoveredPlace && now.hoveredPlace !== null;
  const held = now.pinnedPlace !== before.pinnedPlace;
  if (held && !now.pinnedPlace) return 'Let go.';
  if (!moved && !held) return undefined;
  const lines = explanations
    .map((explanation) => readOut(explanation, null, now, scaleOf))
    .filter((line) => line !== undefined);
  return [...(held ? ['Held.'] : []), ...lines].join(' ');
}
