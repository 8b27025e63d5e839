/** The proof: curves, bars, scores, tables, provenance. */
export const RESULTS = `
.curves { display: grid; gap: 8px; }
.curves figure { max-width: 420px; margin-left: -6px; }
.lens-plot { display: block; width: 100%; height: auto; background: none; color: var(--fg); font-family: inherit; font-size: 11px; line-height: 1; overflow: visible; }
.lens-plot text, .lens-plot tspan { white-space: pre; }
.scrubber { display: grid; gap: 2px; font-size: 12px; }
.scrubber input { flex: 1 1 150px; min-width: 90px; max-width: 260px; accent-color: var(--focus); margin: 0; }
.step { color: var(--quiet); min-height: 1.5em; }
.scores { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 6px 24px; margin-top: 4px; }
.scores div { display: grid; }
.scores dt { color: var(--quiet); font-size: 12px; }
.scores dd { font-size: 16px; font-weight: 600; line-height: 1.3; }
.scores dd.aside { font-size: 11px; font-weight: 400; color: var(--quiet); }
.bars { max-height: 340px; overflow: auto; max-width: 440px; margin: 8px 0; }
.bars [data-token] { cursor: pointer; }
.bars [data-token]:hover { opacity: 0.75; }
table { border-collapse: collapse; margin-bottom: 6px; }
caption { text-align: left; font-weight: 600; padding-bottom: 4px; white-space: nowrap; }
th, td { text-align: left; padding: 4px 18px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 400; color: var(--quiet); font-size: 12px; max-width: 16em; overflow-wrap: anywhere; }
.number { text-align: right; padding-left: 10px; padding-right: 10px; }
.best { font-weight: 600; }
td .aside { display: block; font-size: 11px; font-weight: 400; color: var(--quiet); }
.matrix td.number { background: color-mix(in srgb, var(--place) calc(var(--agree) * var(--place-strength)), transparent); min-width: 4.5em; }
.matrix .self { text-align: right; color: var(--quiet); padding-right: 10px; }
.lens[data-contrast='more'] .matrix td.number { background: none; }
.provenance dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px; margin-top: 10px; font-size: 12px; }
.provenance dt { color: var(--quiet); max-width: 14em; overflow-wrap: anywhere; }
.provenance dd { overflow-wrap: anywhere; }
.code { position: relative; margin-top: 8px; }
.code-text {
  white-space: pre; padding: 10px 12px; max-height: 260px; overflow: auto; border-radius: 6px; font-size: 12px; line-height: 1.5;
  background: color-mix(in srgb, var(--fg) 6%, transparent); border: 1px solid var(--edge);
  font-family: var(--vscode-editor-font-family, ui-monospace, 'Cascadia Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace);
}
.code-text code { font: inherit; }
.code button { position: absolute; top: 8px; right: 8px; }
@container (max-width: 460px) { .provenance dl { grid-template-columns: minmax(0, 1fr); } .provenance dd { margin-bottom: 4px; } }
`;
