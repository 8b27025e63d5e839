/** The picture, what lies over it, and its legend. */
export const PICTURE = `
.frame, .small-frame { position: relative; overflow: hidden; border-radius: 6px; background: color-mix(in srgb, var(--fg) 8%, transparent); }
.frame:has(.ground:focus-visible) { outline: 2px solid var(--focus); outline-offset: 2px; }
.picture { display: block; width: 100%; height: 100%; object-fit: fill; user-select: none; }
.ground { position: absolute; inset: 0; cursor: crosshair; touch-action: pan-y; }
.ground:focus-visible { outline: none; }
.heat, .heat-before, .heat-difference, .veil, .contours, .small-heat { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.heat, .heat-before { transition: opacity 140ms linear; }
.heat-before { opacity: 0; }
.lens[data-still] .heat, .lens[data-still] .heat-before, .heat[data-hurried], .heat-before[data-hurried] { transition: none; }
[data-cells] { image-rendering: pixelated; }
.contours g { animation: arrive 140ms linear; }
.lens[data-still] .contours g { animation: none; }
@keyframes arrive { from { opacity: 0; } }
[data-mode='alone'][data-shows='map'] .picture, .multiple[data-mode='alone'] .picture { visibility: hidden; }
.frame:not([data-shows='map']) :is(.heat, .heat-before, .contours) { visibility: hidden; transition: none; }
.frame[data-unknown][data-shows='baseline']::after {
  content: 'This baseline cannot be drawn.'; position: absolute; inset: auto 0 0; padding: 4px 8px; background: rgb(0 0 0 / 82%); color: #fff; font-size: 12px;
}
.cursor { position: absolute; outline: 2px solid #fff; box-shadow: 0 0 0 3.5px rgb(0 0 0 / 75%); border-radius: 1px; pointer-events: none; }
.cursor.pinned { outline-style: double; outline-width: 4px; }
.cursor-value {
  position: absolute; left: calc(100% + 8px); bottom: calc(100% + 4px); padding: 0 5px; border-radius: 3px;
  background: rgb(0 0 0 / 82%); color: #fff; font-size: 12px; line-height: 18px; white-space: nowrap;
}
.cursor.near-right .cursor-value { left: auto; right: calc(100% + 8px); }
.cursor.near-top .cursor-value { bottom: auto; top: calc(100% + 4px); }
.broken { position: absolute; inset: 0; display: grid; place-items: center; color: var(--quiet); }
.legend { display: grid; gap: 4px; font-size: 12px; color: var(--quiet); min-width: 0; }
.legend-title { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.legend-scale { display: grid; gap: 4px; min-height: 32px; }
.bar { position: relative; height: 10px; border-radius: 3px; background: color-mix(in srgb, var(--fg) 10%, transparent); }
.ramp { position: absolute; inset: 0; border-radius: 3px; }
.needle { position: absolute; top: -3px; bottom: -3px; width: 2px; margin-left: -1px; background: var(--fg); box-shadow: 0 0 0 1px var(--paper); }
.ticks { display: flex; justify-content: space-between; gap: 12px; }
.swatches { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; min-height: 32px; align-content: start; color: var(--fg); }
.swatches li::before { content: ''; display: inline-block; width: 11px; height: 11px; border-radius: 3px; background: var(--pin); margin-right: 6px; vertical-align: -1px; }
.compare-held { display: grid; gap: 10px; }
.compare-held .row { justify-content: space-between; }
.small-frame .contours path { stroke-width: 1.1; }
.small-frame .contours path[stroke='#000'] { stroke-width: 2; }
.multiples { display: grid; gap: 14px 12px; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); }
.multiple { display: grid; gap: 4px; min-width: 0; align-content: start; }
.small-frame { border-bottom: 3px solid var(--pin); border-radius: 4px; }
.multiple figcaption { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 6px; align-items: center; font-size: 12px; }
.multiple-name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; grid-area: 1 / 1; }
.multiple-ratio { color: var(--quiet); grid-area: 2 / 1; }
.multiple-value { grid-area: 2 / 2; }
.release { grid-area: 1 / 2; width: 24px; height: 24px; padding: 0; border: 0; border-radius: 4px; background: none; color: var(--quiet); font: inherit; font-size: 16px; line-height: 1; cursor: pointer; }
.release:hover { color: var(--fg); background: color-mix(in srgb, var(--fg) 10%, transparent); }
.difference-picture { max-width: 360px; margin: 10px 0; }
.difference .legend { max-width: 360px; }
@media (forced-colors: active) { .heat, .ramp, .picture, .contours, .veil, .multiple, .swatches { forced-color-adjust: none; } }
`;
