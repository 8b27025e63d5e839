/** One explanation: the picture with its legend, beside the answer with its read-out and its proof. */
import { createAnswer } from './answer-tokens.ts';
import { createControls, createSegmentation } from './controls.ts';
import { createCurveNote, createCurves } from './curves.ts';
import { element } from './element.ts';
import { createEncoders } from './encoders.ts';
import { createHeatLegend, createTokenLegend } from './legend.ts';
import { createMultiples } from './multiples.ts';
import { createPicture } from './picture.ts';
import { createProvenance } from './provenance.ts';
import { createRatios } from './ratios.ts';
import { readOut } from './readout.ts';
import { mainMap } from './saliency.ts';
import type { Panel } from './subject.ts';
import { rightness } from './tables.ts';
import { NO_DEPENDENCE, noDependenceReason, notesOf } from './wording.ts';

const HINTS = {
  maps: 'Point at a word to see what it rests on, or at the picture to see which words a place matters for. Click or Enter holds.',
  none: 'Point at a word to see how much it depends on the image.',
} as const;

function createReadOut(panel: Panel): HTMLElement {
  const line = element('p', { class: 'readout' });
  const hint = panel.explanation.maps.length > 0 ? HINTS.maps : HINTS.none;
  panel.store.watch((state) => {
    const said = readOut(panel, state);
    line.classList.toggle('hint', said === undefined);
    line.textContent = said ?? hint;
  }, panel.signal);
  return line;
}

/** Whether the answer is right, and what would have been. */
function createRightness({ explanation }: Panel): HTMLElement | null {
  const { correctness } = explanation;
  if (correctness === undefined) return null;
  const wanted = correctness.correct ? '' : ` Acceptable: ${correctness.references.slice(0, 5).join(' · ')}`;
  return element('p', { class: 'note rightness', dir: 'auto' }, `The answer is ${rightness(explanation)}.${wanted}`);
}

/** The panel's elements. In a comparison, what holds for every panel is said once and elsewhere. */
export function createPanel(panel: Panel): HTMLElement {
  const { document, explanation, store, signal, index } = panel;
  const compared = document.kind === 'comparison';
  const mapped = mainMap(explanation) !== undefined;
  const seen = element(
    'div',
    { class: 'seen' },
    createPicture(panel),
    mapped ? createHeatLegend(panel) : null,
    mapped && !compared ? createControls({ store, signal }) : null,
  );
  const statement = element(
    'div',
    { class: 'statement', role: 'note' },
    element('strong', {}, NO_DEPENDENCE),
    element('p', {}, noDependenceReason(explanation)),
  );
  const notes = notesOf(explanation);
  const told = element(
    'div',
    { class: 'told' },
    compared && explanation.label === explanation.question
      ? null
      : element('p', { class: 'question', dir: 'auto' }, explanation.question),
    createAnswer(panel),
    createRightness(panel),
    explanation.dependsOnImage ? null : statement,
    ...notes.map((note) => element('p', { class: 'note' }, note)),
    createReadOut(panel),
    createMultiples(panel),
    compared
      ? null
      : element(
          'div',
          { class: 'reading' },
          createTokenLegend(panel),
          createSegmentation({ store, signal, name: `segmentation-${index}` }),
        ),
    createCurves(panel),
    compared || explanation.curves.length === 0 ? null : createCurveNote(),
    createEncoders(panel),
    createRatios(panel),
    createProvenance(panel),
  );
  return element(
    'div',
    { class: 'panel', role: 'group', 'aria-label': explanation.label },
    compared ? element('p', { class: 'label', dir: 'auto' }, explanation.label) : null,
    element('div', { class: 'halves' }, seen, told),
  );
}
