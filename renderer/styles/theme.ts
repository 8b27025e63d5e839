/** Colours: those of VS Code or JupyterLab where there are any, ours otherwise. `data-theme` is set by theme.ts. */
export const THEME = `
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
  --lens-deletion: #b0432c; --lens-insertion: #17705a; --place-strength: 45%; --bar: #c97a00; --bar-quiet: #cfc9bf;
}
.lens[data-theme='dark'] {
  color-scheme: dark;
  --ink: #e9e5de; --ink-quiet: #aca69b; --hairline: #45423c; --sheet: #1c1b19; --field: #2b2926; --blue: #6aa8ff;
  --tint: #d98a12; --tint-strength: 42%; --mark-line: #f2b450; --against: #4a66b0; --place: #4fd0bd; --place-fg: #10201d;
  --lens-deletion: #f08c74; --lens-insertion: #58c9a6; --place-strength: 30%; --bar: #e0992a; --bar-quiet: #57534c;
}
.lens[data-contrast='more'] {
  --quiet: var(--fg); --tint-strength: 0%; --place-strength: 0%; --line: var(--vscode-contrastBorder, currentColor);
  --control-line: var(--vscode-contrastBorder, currentColor); --edge: var(--vscode-contrastBorder, currentColor);
  --focus: var(--vscode-contrastActiveBorder, var(--vscode-focusBorder, var(--blue)));
  --button: var(--vscode-button-secondaryBackground, transparent); --button-fg: var(--vscode-button-secondaryForeground, var(--fg));
}
.lens[data-contrast='more'][data-theme='light'] {
  --ink: #000000; --sheet: #ffffff; --field: #ffffff; --blue: #0f4a85; --mark-line: #7a3e00; --place: #005347;
  --lens-deletion: #8c1d05; --lens-insertion: #004f3b; --place-fg: #ffffff; --bar: #7a3e00; --bar-quiet: #8c8c8c;
}
.lens[data-contrast='more'][data-theme='dark'] {
  --ink: #ffffff; --sheet: #000000; --field: #000000; --blue: #f38518; --mark-line: #ffd27a; --place: #7df5e2;
  --lens-deletion: #ffab96; --lens-insertion: #83f0cf; --place-fg: #000000; --bar: #ffd27a; --bar-quiet: #7d7d7d;
}
`;
