/** Buttons, choices, sliders and fold-outs. */
export const CONTROLS = `
.controls { display: grid; gap: 8px; font-size: 12px; min-width: 0; }
.controls .row { justify-content: space-between; }
.choice { display: inline-flex; flex-wrap: wrap; border: 1px solid var(--control-line); border-radius: 5px; overflow: hidden; font-size: 12px; }
.choice label { position: relative; cursor: pointer; }
.choice span { display: block; padding: 3px 9px; min-height: 24px; line-height: 18px; color: var(--control-fg); }
.choice label + label span { border-left: 1px solid var(--control-line); }
.choice label:hover span { background: color-mix(in srgb, var(--fg) 7%, transparent); }
.choice input:checked + span { background: var(--fg); color: var(--paper); }
.choice input:focus-visible + span { outline: 2px solid var(--focus); outline-offset: -3px; box-shadow: inset 0 0 0 4px var(--paper); }
.peeks { display: flex; gap: 6px; }
button, .control select, .row > select {
  font: inherit; font-size: 12px; border-radius: 4px; min-height: 24px; padding: 2px 9px;
  background: var(--control); color: var(--control-fg); border: 1px solid var(--control-line);
}
.control select, .row > select { padding: 1px 2px; max-width: 100%; }
button { background: var(--button); color: var(--button-fg); border-color: var(--edge); cursor: pointer; }
button:hover { background: color-mix(in srgb, var(--button) 85%, var(--fg)); }
button.quiet { background: none; color: var(--fg); text-decoration: underline; text-underline-offset: 3px; border-color: transparent; padding: 2px 4px; }
.lens[data-contrast='more'] button:hover { background: var(--button); outline: 1px dashed var(--focus); }
.peek { user-select: none; touch-action: none; }
.peek.on { background: var(--fg); color: var(--paper); }
kbd { font: inherit; font-size: 10.5px; margin-left: 6px; padding: 0 4px; border: 1px solid currentColor; border-radius: 3px; }
.control { display: flex; gap: 8px; align-items: center; color: var(--quiet); font-size: 12px; }
.control output { min-width: 3.4em; }
.control input { width: 96px; accent-color: var(--focus); margin: 0; }
.ratios .control input { width: 160px; }
.adjustments { display: grid; gap: 8px 18px; grid-template-columns: repeat(auto-fill, minmax(208px, 1fr)); padding-top: 8px; }
.adjustments .control > span { min-width: 5em; }
.fold summary { cursor: pointer; color: var(--quiet); width: max-content; max-width: 100%; font-size: 12px; border-radius: 3px; }
.fold summary:hover { color: var(--fg); }
.fold[open] > summary { margin-bottom: 8px; color: var(--fg); }
.lens > .save { margin-top: 18px; padding-top: 10px; border-top: 1px solid var(--line); }
.save-rows { display: grid; gap: 4px; font-size: 12px; }
.save-row { display: grid; grid-template-columns: minmax(0, 15em) max-content max-content; gap: 8px; align-items: center; }
`;
