/** What the reader is looking at, and how it is drawn: one state per output, shared by its panels. */
import type { HeatStyle } from './colour-maps.ts';
import type { Place } from './saliency.ts';
import type { Segmentation } from './segments.ts';

/** A token of one panel. It stands for the segment (token, word or sentence) that holds it. */
export interface TokenReference {
  readonly panel: number;
  readonly token: number;
}

/** A step of a deletion or insertion curve, whose picture is shown. */
export interface CurveStep {
  readonly panel: number;
  /** Index into the explanation's curves. */
  readonly curve: number;
  /** Index into the curve's points. */
  readonly point: number;
}

/** How a map is drawn: over the picture, by fading what is not salient, as lines, or by itself. */
export const MODES = ['heat', 'spotlight', 'contours', 'alone'] as const;
export type Mode = (typeof MODES)[number];

/** Between cell centres as the method up-samples its mask, or each cell as it was computed. */
export type Sampling = 'smooth' | 'cells';

export interface ViewState extends HeatStyle {
  readonly mode: Mode;
  readonly sampling: Sampling;
  /** 'own': each map spans the colours by itself. 'shared': one scale for all maps of the document. */
  readonly scale: 'own' | 'shared';
  readonly segmentation: Segmentation;
  /** How several held maps are compared: each by itself, or all in one picture in their colours. */
  readonly together: 'multiples' | 'blend';
  /** The LLR above which tokens are selected, where the reader chose another than the document's. */
  readonly alpha: number | null;
  /** What is looked at while a key or button is held down. */
  readonly peek: 'original' | 'baseline' | null;
  readonly step: CurveStep | null;
  readonly hoveredToken: TokenReference | null;
  /** In the order in which they were pinned. */
  readonly pinnedTokens: readonly TokenReference[];
  readonly hoveredPlace: Place | null;
  readonly pinnedPlace: Place | null;
  /** Whether the surroundings are dark: a spotlight fades to the paper. */
  readonly dark: boolean;
}

export interface Store<T> {
  get(): T;
  /** Changes the given fields and, when any of them is new, tells those who listen. */
  set(change: Partial<T>): void;
  /** Calls back at once and after every change, until the signal aborts. */
  watch(listener: (state: T) => void, signal: AbortSignal): void;
}

/** A state with listeners. A change that a listener makes is told after the present one. */
export function createStore<T extends object>(initial: T): Store<T> {
  let state = initial;
  const listeners = new Set<(state: T) => void>();
  return {
    get: () => state,
    set(change) {
      const differs = Object.entries(change).some(([key, value]) => state[key as keyof T] !== value);
      if (!differs) return;
      state = { ...state, ...change };
      for (const listener of listeners) listener(state);
    },
    watch(listener, signal) {
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener));
      listener(state);
    },
  };
}

/** The place that is looked at: the one under the pointer or the keyboard's cursor, else the pinned one. */
export function activePlace({ hoveredPlace, pinnedPlace }: Pick<ViewState, 'hoveredPlace' | 'pinnedPlace'>) {
  return hoveredPlace ?? pinnedPlace;
}

/** Nothing looked at and nothing held. */
export const RELEASED = {
  hoveredToken: null,
  pinnedTokens: [],
  hoveredPlace: null,
  pinnedPlace: null,
  step: null,
  peek: null,
} as const satisfies Partial<ViewState>;
