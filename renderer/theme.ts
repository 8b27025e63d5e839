/** Which of the four themes surrounds the view: VS Code and JupyterLab say so on the body, a page by media queries. */

export interface Theme {
  readonly dark: boolean;
  readonly contrast: boolean;
}

/** The surroundings' theme now. */
export function currentTheme(body: HTMLElement = document.body): Theme {
  const has = (name: string): boolean => body.classList.contains(name);
  const contrast = matchMedia('(prefers-contrast: more)').matches || matchMedia('(forced-colors: active)').matches;
  if (has('vscode-high-contrast-light')) return { dark: false, contrast: true };
  if (has('vscode-high-contrast')) return { dark: true, contrast: true };
  if (has('vscode-dark')) return { dark: true, contrast: false };
  if (has('vscode-light')) return { dark: false, contrast: false };
  const jupyter = body.dataset['jpThemeLight'];
  if (jupyter !== undefined) {
    return { dark: jupyter === 'false', contrast: contrast || /contrast/i.test(body.dataset['jpThemeName'] ?? '') };
  }
  return { dark: matchMedia('(prefers-color-scheme: dark)').matches, contrast };
}

/** Whether the reader asked for less motion, of the system or of VS Code. */
function wantsStillness(body: HTMLElement = document.body): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches || body.classList.contains('vscode-reduce-motion');
}

/** Keeps `data-theme` ('light' or 'dark'), `data-contrast` and `data-still` on an element in step with its surroundings. */
export function followTheme(target: HTMLElement, signal: AbortSignal, changed: (theme: Theme) => void): void {
  const update = (): void => {
    const theme = currentTheme();
    target.dataset['theme'] = theme.dark ? 'dark' : 'light';
    target.dataset['contrast'] = theme.contrast ? 'more' : 'normal';
    target.toggleAttribute('data-still', wantsStillness());
    changed(theme);
  };
  update();
  const observer = new MutationObserver(update);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-jp-theme-light', 'data-jp-theme-name'],
  });
  signal.addEventListener('abort', () => observer.disconnect());
  for (const query of QUERIES) matchMedia(query).addEventListener('change', update, { signal });
}

const QUERIES = [
  '(prefers-color-scheme: dark)',
  '(prefers-contrast: more)',
  '(forced-colors: active)',
  '(prefers-reduced-motion: reduce)',
] as const;
