/** Where things stand: picture and answer side by side where there is room, under one another where there is not. */
export const LAYOUT = `
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
p, dl, dd, figure, ul { margin: 0; padding: 0; }
.lens [hidden] { display: none; }
.panels { display: grid; gap: 28px 24px; grid-template-columns: minmax(0, 1fr); }
.lens[data-kind='comparison'] .panels { grid-template-columns: repeat(auto-fit, minmax(min(250px, 100%), 1fr)); margin: 14px 0 22px; }
.lens[data-kind='comparison'] > * + .reading, .lens > section, .lens > .fold, .lens > .note { margin-top: 16px; }
.panel { min-width: 0; }
.halves { display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr); }
.seen { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; align-content: start; max-width: 480px; min-width: 0; }
.told { display: grid; grid-template-columns: minmax(0, 1fr); gap: 14px; align-content: start; min-width: 0; }
@container (min-width: 620px) {
  .lens:not([data-kind='comparison']) .halves { grid-template-columns: minmax(270px, 5fr) minmax(0, 7fr); gap: 32px; }
}
p.title { font-size: 15px; font-weight: 600; margin: 0 0 10px; }
p.label { font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
.question { color: var(--quiet); font-size: 14px; overflow-wrap: anywhere; white-space: pre-wrap; }
.spoken { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.note { color: var(--quiet); font-size: 12px; max-width: 62ch; text-wrap: pretty; }
.row { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; }
.scroll { overflow-x: auto; max-width: 100%; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
`;
