/** How the map is drawn. What is needed often is in the row; the rest unfolds. */
import { COLOUR_MAPS, type ColourMapName } from './colour-maps.ts';
import { element } from './element.ts';
import { SEGMENTATIONS, type Segmentation } from './segments.ts';
import type { Mode, Store, ViewState } from './store.ts';

interface Parent {
  readonly store: Store<ViewState>;
  readonly signal: AbortSignal;
}

interface ChoiceOptions<K extends keyof ViewState> extends Parent {
  readonly label: string;
  readonly field: K;
  readonly options: readonly (readonly [value: ViewState[K] & string, text: string])[];
  /** Tells this group from others with the same field in one view. */
  readonly name?: string;
}

/** One of a few values, all of them in sight: radio buttons, so that arrow keys choose. */
export function createChoice<K extends keyof ViewState>({
  label,
  field,
  options,
  store,
  signal,
  name = field,
}: ChoiceOptions<K>): HTMLElement {
  const radios = options.map(([value]) =>
    element('input', { type: 'radio', name, value, 'data-control': `${field}-${value}`, class: 'spoken' }),
  );
  const group = element(
    'div',
    { class: 'choice', role: 'radiogroup', 'aria-label': label },
    ...options.map(([, text], at) => element('label', {}, radios[at]!, element('span', {}, text))),
  );
  group.addEventListener(
    'change',
    (event) => store.set({ [field]: (event.target as HTMLInputElement).value } as unknown as Partial<ViewState>),
    { signal },
  );
  store.watch((state) => {
    for (const radio of radios) radio.checked = radio.value === state[field];
  }, signal);
  return group;
}

type SliderField = 'opacity' | 'threshold';

const SLIDERS: Readonly<Record<SliderField, { readonly label: string; readonly max: number }>> = {
  opacity: { label: 'Opacity', max: 100 },
  threshold: { label: 'Threshold', max: 95 },
};

function createSlider(field: SliderField, { store, signal }: Parent): HTMLElement {
  const { label, max } = SLIDERS[field];
  const input = element('input', {
    type: 'range',
    min: 0,
    max,
    step: 5,
    value: 100 * store.get()[field],
    'data-control': field,
  });
  const output = element('output', {});
  input.addEventListener('input', () => store.set({ [field]: Number(input.value) / 100 }), { signal });
  store.watch((state) => {
    const percent = `${Math.round(100 * state[field])} %`;
    if (output.textContent === percent) return;
    output.textContent = percent;
    input.setAttribute('aria-valuetext', percent);
  }, signal);
  if (field === 'opacity') {
    store.watch(({ mode }) => (input.disabled = mode === 'alone'), signal);
  }
  return element('label', { class: 'control' }, element('span', {}, label), input, output);
}

function createSelect<K extends 'colourMap' | 'scale' | 'sampling'>(
  label: string,
  field: K,
  options: readonly (readonly [value: ViewState[K], text: string])[],
  { store, signal }: Parent,
): HTMLElement {
  const select = element(
    'select',
    { 'data-control': field },
    ...options.map(([value, text]) => element('option', { value, selected: value === store.get()[field] }, text)),
  );
  select.addEventListener('change', () => store.set({ [field]: select.value } as unknown as Partial<ViewState>), {
    signal,
  });
  return element('label', { class: 'control' }, element('span', {}, label), select);
}

const MODE_NAMES: Readonly<Record<Mode, string>> = {
  heat: 'Heat',
  spotlight: 'Spotlight',
  contours: 'Contours',
  alone: 'Map alone',
};

/** Keys that are held down to see something else than the map. */
export const PEEKS = {
  original: { key: 'o', label: 'Original' },
  baseline: { key: 'b', label: 'Baseline' },
} as const;

type Peek = keyof typeof PEEKS;

function createPeek(peek: Peek, { store, signal }: Parent): HTMLElement {
  const { key, label } = PEEKS[peek];
  const button = element(
    'button',
    { type: 'button', class: 'peek', title: `Hold down, or hold the key ${key.toUpperCase()}`, 'data-peek': peek },
    label,
    element('kbd', { 'aria-hidden': 'true' }, key.toUpperCase()),
  );
  const press = (): void => store.set({ peek });
  const release = (): void => {
    if (store.get().peek === peek) store.set({ peek: null });
  };
  button.addEventListener('pointerdown', press, { signal });
  for (const type of ['pointerup', 'pointercancel', 'pointerleave', 'blur'] as const) {
    button.addEventListener(type, release, { signal });
  }
  button.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return;
      press();
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  button.addEventListener('keyup', release, { signal });
  store.watch((state) => button.classList.toggle('on', state.peek === peek), signal);
  return button;
}

/** Shows the original or the baseline while a key is held, when the focus is in the view but not in a field that types. */
export function peekByKey(view: HTMLElement, store: Store<ViewState>, signal: AbortSignal): void {
  const peekOf = (event: KeyboardEvent): Peek | undefined => {
    const typing = event.composedPath().some((node) => node instanceof HTMLSelectElement);
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    return (Object.keys(PEEKS) as Peek[]).find((peek) => PEEKS[peek].key === event.key.toLowerCase());
  };
  view.addEventListener(
    'keydown',
    (event) => {
      const peek = peekOf(event);
      if (!peek) return;
      store.set({ peek });
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  const release = (): void => store.set({ peek: null });
  view.addEventListener(
    'keyup',
    (event) => {
      if (!peekOf(event)) return;
      release();
      event.stopPropagation();
    },
    { signal },
  );
  view.addEventListener('focusout', () => store.get().peek && release(), { signal });
  window.addEventListener('blur', () => store.get().peek && release(), { signal });
}

/** The row of controls over the maps; it works on all panels at once. */
export function createControls(parent: Parent): HTMLElement {
  return element(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'How the map is drawn' },
    element(
      'div',
      { class: 'row' },
      createChoice({
        ...parent,
        label: 'Way to see the map',
        field: 'mode',
        options: (Object.keys(MODE_NAMES) as Mode[]).map((mode) => [mode, MODE_NAMES[mode]] as const),
      }),
      element('div', { class: 'peeks' }, createPeek('original', parent), createPeek('baseline', parent)),
    ),
    element(
      'details',
      { class: 'fold adjust' },
      element('summary', {}, 'Adjust'),
      element(
        'div',
        { class: 'adjustments' },
        createSlider('opacity', parent),
        createSlider('threshold', parent),
        createSelect(
          'Colours',
          'colourMap',
          COLOUR_MAPS.map((name): [ColourMapName, string] => [name, name]),
          parent,
        ),
        createSelect(
          'Cells',
          'sampling',
          [
            ['smooth', 'smooth'],
            ['cells', 'exact'],
          ],
          parent,
        ),
        createSelect(
          'Scale',
          'scale',
          [
            ['own', 'each map'],
            ['shared', 'all maps'],
          ],
          parent,
        ),
      ),
    ),
  );
}

/** How the answer is cut. */
export function createSegmentation(parent: Parent & { readonly name: string }): HTMLElement {
  return createChoice({
    ...parent,
    label: 'Cut the answer into',
    field: 'segmentation',
    options: SEGMENTATIONS.map((one): [Segmentation, string] => [one, one]),
  });
}
