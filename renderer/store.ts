/** What the reader is looking at, and how it is drawn: one state per output, shared by its panels. */
import type { ColourMapName, HeatStyle } from './colour-maps.ts';
import type { Place } from './saliency.ts';

/** A token of one panel. */
export interface TokenReference {
  readonly panel: number;
  readonly token: number;
}

export interface ViewState extends HeatStyle {
  readonly colourMap: ColourMapName;
  /** 'own': each map spans the colours by itself. 'shared': one scale for all maps of the document. */
  readonly scale: 'own' | 'shared';
  readonly hoveredToken: TokenReference | null;
  readonly pinnedToken: TokenReference | null;
  readonly hoveredPlace: Place | null;
  readonly pinnedPlace: Place | null;
}

export interface Store<T> {
  get(): T;
  /** Changes the given fields and, when any of them is new, tells those who listen. */
  set(change: Partial<T>): void;
  /** Calls back at once and after every change, until the signal aborts. */
  watch(listener: (state: T) => void, signal: AbortSignal): void;
}

/** A state with listeners. */
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

/** The token that is looked at: the one under the pointer or the focus, else the pinned one. */
export function activeToken({ hoveredToken, pinnedToken }: ViewState): TokenReference | null {
  return hoveredToken ?? pinnedToken;
}

/** The place that is looked at, likewise. */
export function activePlace({ hoveredPlace, pinnedPlace }: ViewState): Place | null {
  return hoveredPlace ?? pinnedPlace;
}
