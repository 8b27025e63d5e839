/** The answer as running text with its chips, and what is said of them. */
export const ANSWER = `
.answer {
  font-size: 20px; line-height: 2.1; white-space: pre-wrap; overflow-wrap: anywhere; margin: -6px 0 -4px -3px; padding: 0 3px;
  position: relative; isolation: isolate;
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
.answer.placed .chip:not(.pinned) { background-color: transparent; }
.chip.active { outline: 2px solid var(--focus); outline-offset: 0; }
.chip.pinned { background-color: var(--fg); color: var(--paper); box-shadow: inset 0 -4px 0 var(--pin); }
.strengths { position: absolute; left: 0; z-index: -1; pointer-events: none; }
.readout { min-height: 4.5em; max-width: 68ch; text-wrap: pretty; overflow-wrap: anywhere; }
.readout.hint { color: var(--quiet); }
.lens[data-kind='comparison'] .readout { min-height: 6.1em; }
.reading { display: flex; flex-wrap: wrap; gap: 10px 24px; align-items: center; justify-content: space-between; }
.token-legend { flex: 1 1 220px; color: var(--quiet); font-size: 12px; max-width: 46ch; text-wrap: pretty; }
.token-scale {
  display: inline-block; width: 56px; height: 10px; border-radius: 3px; vertical-align: -1px; border: 1px solid var(--edge);
  background-image: linear-gradient(to right, transparent, color-mix(in srgb, var(--tint) var(--tint-strength), transparent));
}
.lens[data-contrast='more'] .token-scale { border-width: 0; clip-path: polygon(0 80%, 100% 30%, 100% 100%, 0 100%); background: var(--mark-line); }
.statement { border-left: 3px solid var(--mark-line); padding: 4px 0 4px 14px; display: grid; gap: 4px; max-width: 62ch; }
.statement strong { font-size: 16px; font-weight: 600; }
@media (forced-colors: active) { .chip.pinned { outline: 2px solid; } }
`;
