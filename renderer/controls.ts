/** How the heat is drawn: opacity, threshold, colours, scale. */
import { COLOUR_MAPS, type ColourMapName } from './colour-maps.ts';
import { element } from './element.ts';
import type { Store, ViewState } from './store.ts';

type SliderField = 'opacity' | 'threshold';

const SLIDERS: Readonly<Record<SliderField, { readonly label: string; readonly max: number }>> = {
  opacity: { label: 'Opacity', max: 100 },
  threshold: { label: 'Threshold', max: 95 },
};

function slider(field: SliderField, store: Store<ViewState>, signal: AbortSignal): HTMLElement {
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
    output.textContent = percent;
    input.setAttribute('aria-valuetext', percent);
  }, signal);
  return element('label', { class: 'control' }, element('span', {}, label), input, output);
}

function choice<K extends 'colourMap' | 'scale'>(
  label: string,
  field: K,
  options: readonly (readonly [value: ViewState[K], text: string])[],
  store: Store<ViewState>,
  signal: AbortSignal,
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

/** The row of controls; it works on all panels at once. */
export function createControls(store: Store<ViewState>, signal: AbortSignal): HTMLElement {
  return element(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'How the heat is drawn' },
    slider('opacity', store, signal),
    slider('threshold', store, signal),
    choice(
      'Colours',
      'colourMap',
      COLOUR_MAPS.map((name): [ColourMapName, string] => [name, name]),
      store,
      signal,
    ),
    choice(
      'Scale',
      'scale',
      [
        ['own', 'each map'],
        ['shared', 'all maps'],
      ],
      store,
      signal,
    ),
  );
}
