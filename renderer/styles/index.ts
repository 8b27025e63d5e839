/** The view's style sheet. It lives in the shadow root, so that it and the page do not disturb each other. */
import { ANSWER } from './answer.ts';
import { CONTROLS } from './controls.ts';
import { LAYOUT } from './layout.ts';
import { PICTURE } from './picture.ts';
import { PRINT } from './print.ts';
import { RESULTS } from './results.ts';
import { THEME } from './theme.ts';

export const STYLES = [THEME, LAYOUT, CONTROLS, PICTURE, ANSWER, RESULTS, PRINT].join('\n');
