/** The view's style sheet. It lives in the shadow root, so that it and the page do not disturb each other. */

/** Colours: those of VS Code or JupyterLab where there are any, ours otherwise. `data-theme` is set by theme.ts. */
const THEME = `
:host { display: block; }
.lens {
  --fg: var(--vscode-foreground, var(--jp-ui-font-color1, var(--ink)));
  --quiet: var(--vscode-descriptionForeground, var(--jp-ui-font-color2, var(--ink-quiet)));
  --line: var(--vscode-panel-border, var(--jp-border-color2, var(--hairline)));
  --focus: var(--vscode-focusBorder, var(--jp-brand-color1, var(--blue)));
  --control: var(--vscode-dropdown-background, var(--jp-layout-color1, var(--field)));
  --control-fg: var(--vscode-dropdown-foreground, var(--jp-ui-font-color1, var(--ink)));
  --control-line: var(--vscode-dropdown-border, var(--jp-border-color1, var(--hairline)));
  --button: var(--vscode-button-secondaryBackground, var(--jp-layout-color2, var(--field)));
  --button-fg: var(--vscode-button-secondaryForeground, var(--jp-ui-font-color1, var(--ink)));
  --paper: var(--vscode-notebook-editorBackground, var(--vscode-editor-background, var(--jp-layout-color0, var(--sheet))));
  --edge: transparent;
}
.lens[data-theme='light'] {
  color-scheme: light;
  --ink: #211f1c; --ink-quiet: #5f5a52; --hairline: #dcd7ce; --sheet: #ffffff; --field: #f5f3ef; --blue: #1668d6;
  --tint: #f0a020; --tint-strength: 62%; --mark-line: #9a5b00; --against: #7d97d6; --place: #0a7a6c; --place-fg: #ffffff;
  --lens-deletion: #b0432c; --lens-insertion: #17705a;
}
.lens[data-theme='dark'] {
  color-scheme: dark;
  --ink: #e9e5de; --ink-quiet: #aca69b; --hairline: #45423c; --sheet: #1c1b19; --field: #2b2926; --blue: #6aa8ff;
  --tint: #d98a12; --tint-strength: 42%; --mark-line: #f2b450; --against: #4a66b0; --place: #4fd0bd; --place-fg: #10201d;
  --lens-deletion: #f08c74; --lens-insertion: #58c9a6;
}
.lens[data-contrast='more'] {
  --quiet: var(--fg); --tint-strength: 0%; --line: var(--vscode-contrastBorder, currentColor);
  --control-line: var(--vscode-contrastBorder, currentColor); --edge: var(--vscode-contrastBorder, currentColor);
  --focus: var(--vscode-contrastActiveBorder, var(--vscode-focusBorder, var(--blue)));
  --button: var(--vscode-button-secondaryBackground, transparent); --button-fg: var(--vscode-button-secondaryForeground, var(--fg));
}
.lens[data-contrast='more'][data-theme='light'] {
  --ink: #000000; --sheet: #ffffff; --field: #ffffff; --blue: #0f4a85; --mark-line: #7a3e00; --place: #005347;
  --lens-deletion: #8c1d05; --lens-insertion: #004f3b;
}
.lens[data-contrast='more'][data-theme='dark'] {
  --ink: #ffffff; --sheet: #000000; --field: #000000; --blue: #f38518; --mark-line: #ffd27a; --place: #7df5e2;
  --lens-deletion: #ffab96; --lens-insertion: #83f0cf;
}
`;

const LAYOUT = `
.lens {
  container-type: inline-size;
  box-sizing: border-box;
  padding: 8px 2px 10px;
  color: var(--fg);
  font: 13px/1.5 var(--vscode-font-family, var(--jp-ui-font-family, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif));
  font-variant-numeric: tabular-nums;
  max-width: 1200px;
}
.lens *, .lens *::before { box-sizing: border-box; }
p, dl, dd, figure { margin: 0; }
.lens [hidden] { display: none; }
.panels { display: grid; gap: 28px 24px; grid-template-columns: minmax(0, 1fr); }
.lens[data-kind='comparison'] .panels { grid-template-columns: repeat(auto-fit, minmax(min(250px, 100%), 1fr)); }
.panel { min-width: 0; }
.halves { display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr); }
.seen { display: grid; gap: 10px; align-content: start; max-width: 480px; }
.told { display: grid; gap: 14px; align-content: start; min-width: 0; }
@container (min-width: 620px) {
  .lens:not([data-kind='comparison']) .halves { grid-template-columns: minmax(220px, 5fr) minmax(0, 7fr); gap: 28px; }
}
p.title { font-size: 15px; font-weight: 600; margin: 0 0 14px; }
p.label { font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
.question { color: var(--quiet); font-size: 14px; overflow-wrap: anywhere; white-space: pre-wrap; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.note { color: var(--quiet); font-size: 12px; max-width: 62ch; text-wrap: pretty; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
`;

const PICTURE = `
.frame { position: relative; overflow: hidden; border-radius: 6px; background: color-mix(in srgb, var(--fg) 8%, transparent); }
.frame:has(.ground:focus-visible) { outline: 2px solid var(--focus); outline-offset: 2px; }
.picture { display: block; width: 100%; height: 100%; object-fit: fill; user-select: none; }
.ground { position: absolute; inset: 0; cursor: crosshair; touch-action: pan-y; }
.ground:focus-visible { outline: none; }
.heat { position: absolute; inset: 0; width: 100%; height: 100%; }
.cursor { position: absolute; outline: 2px solid #fff; box-shadow: 0 0 0 3.5px rgb(0 0 0 / 75%); border-radius: 1px; pointer-events: none; }
.cursor.pinned { outline-style: double; outline-width: 4px; }
.cursor-value {
  position: absolute; left: calc(100% + 8px); bottom: calc(100% + 4px); padding: 0 5px; border-radius: 3px;
  background: rgb(0 0 0 / 82%); color: #fff; font-size: 12px; line-height: 18px; white-space: nowrap;
}
.cursor.near-right .cursor-value { left: auto; right: calc(100% + 8px); }
.cursor.near-top .cursor-value { bottom: auto; top: calc(100% + 4px); }
.broken { position: absolute; inset: 0; display: grid; place-items: center; color: var(--quiet); }
.legend { display: grid; gap: 4px; font-size: 12px; color: var(--quiet); }
.legend-title { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar { position: relative; height: 10px; border-radius: 3px; background: color-mix(in srgb, var(--fg) 10%, transparent); }
.ramp { position: absolute; inset: 0; border-radius: 3px; }
.needle { position: absolute; top: -3px; bottom: -3px; width: 2px; margin-left: -1px; background: var(--fg); box-shadow: 0 0 0 1px var(--paper); }
.ticks { display: flex; justify-content: space-between; }
`;

const ANSWER = `
.answer {
  font-size: 20px; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; margin: -6px 0 -4px -3px; padding: 0 3px;
}
.chip {
  position: relative; padding: 2px 1px 1px; border-radius: 3px; cursor: pointer; border-bottom: 2px solid transparent;
  background-color: color-mix(in srgb, var(--tint) calc(var(--strength) * var(--tint-strength)), transparent);
  -webkit-box-decoration-break: clone; box-decoration-break: clone;
}
.chip.against { background-color: color-mix(in srgb, var(--against) calc(var(--strength) * var(--tint-strength)), transparent); }
.chip.unspoken { font-size: 0.7em; color: var(--quiet); }
.chip.selected, .sample { border-bottom: 2px solid var(--mark-line); }
.lens[data-contrast='more'] .chip.selected { border-bottom-width: calc(2px + 3px * var(--strength)); }
.chip.active { outline: 2px solid var(--focus); outline-offset: 1px; }
.chip.pinned { background-color: var(--fg); color: var(--paper); }
.chip.marked { box-shadow: 0 0 0 2px var(--place); }
.chip.marked::after {
  content: attr(data-place); position: absolute; left: 50%; bottom: calc(100% - 1px); translate: -50% 0; padding: 0 4px; border-radius: 3px; z-index: 1;
  background: var(--place); color: var(--place-fg); font-size: 10.5px; line-height: 14px; white-space: nowrap; pointer-events: none;
}
.readout { min-height: 3.1em; max-width: 68ch; text-wrap: pretty; overflow-wrap: anywhere; }
.readout.hint { color: var(--quiet); }
.lens[data-kind='comparison'] .readout { min-height: 6em; }
.panels ~ .token-legend, .panels ~ .note { margin-top: 10px; }
.token-legend { color: var(--quiet); font-size: 12px; max-width: 62ch; }
.token-scale {
  display: inline-block; width: 64px; height: 10px; border-radius: 3px; vertical-align: -1px; border: 1px solid var(--edge);
  background-image: linear-gradient(to right, transparent, color-mix(in srgb, var(--tint) var(--tint-strength), transparent));
}
.lens[data-contrast='more'] .token-scale { border-width: 0; clip-path: polygon(0 80%, 100% 30%, 100% 100%, 0 100%); background: var(--mark-line); }
.statement { border-left: 3px solid var(--mark-line); padding: 4px 0 4px 14px; display: grid; gap: 4px; max-width: 62ch; }
.statement strong { font-size: 16px; font-weight: 600; }
`;

const RESULTS = `
.curves { display: grid; gap: 8px; }
.curves figure { max-width: 400px; margin-left: -6px; }
.lens-plot { display: block; width: 100%; height: auto; background: none; color: var(--fg); font: 11px system-ui, sans-serif; overflow: visible; }
.lens-plot text, .lens-plot tspan { white-space: pre; }
.scores { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 6px 24px; }
.scores div { display: grid; }
.scores dt { color: var(--quiet); font-size: 12px; }
.scores dd { font-size: 16px; font-weight: 600; line-height: 1.3; }
.scores dd.aside { font-size: 11px; font-weight: 400; color: var(--quiet); }
.agreement { margin-top: 18px; overflow-x: auto; }
.agreement table { border-collapse: collapse; margin-bottom: 6px; }
.agreement caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
.agreement th, .agreement td { text-align: left; padding: 4px 20px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.agreement th { font-weight: 400; color: var(--quiet); font-size: 12px; }
.agreement .number { text-align: right; padding-right: 12px; }
.provenance { font-size: 12px; }
.provenance summary { cursor: pointer; color: var(--quiet); width: max-content; }
.provenance dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px; margin-top: 6px; }
.provenance dt { color: var(--quiet); max-width: 14em; overflow-wrap: anywhere; }
.provenance dd { overflow-wrap: anywhere; }
`;

const TOOLBAR = `
.toolbar {
  display: flex; flex-wrap: wrap; gap: 8px 22px; align-items: center; justify-content: space-between;
  margin-top: 18px; padding-top: 10px; border-top: 1px solid var(--line); font-size: 12px;
}
.controls { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; }
.control { display: flex; gap: 8px; align-items: center; color: var(--quiet); }
.control output { min-width: 3.4em; }
.control input { width: 88px; accent-color: var(--focus); margin: 0; }
.control select, .save button {
  font: inherit; border-radius: 3px; min-height: 24px; padding: 1px 8px;
  background: var(--control); color: var(--control-fg); border: 1px solid var(--control-line);
}
.control select { padding: 1px 2px; }
.save { display: flex; gap: 8px; margin-left: auto; }
.save button { background: var(--button); color: var(--button-fg); border-color: var(--edge); padding: 2px 10px; cursor: pointer; }
.save button:hover { background: color-mix(in srgb, var(--button) 85%, var(--fg)); }
.lens[data-contrast='more'] .save button:hover { background: var(--button); outline: 1px dashed var(--focus); }
@media print { .toolbar, .readout, .spoken { display: none; } .panel { break-inside: avoid; } }
@media (forced-colors: active) { .heat, .ramp, .picture { forced-color-adjust: none; } .chip.pinned { outline: 2px solid; } }
`;

export const STYLES = [THEME, LAYOUT, PICTURE, ANSWER, RESULTS, TOOLBAR].join('\n');
