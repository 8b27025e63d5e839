import { ruleX } from '@observablehq/plot';
import type { Estimate } from '../kernel/metrics/bootstrap.ts';
import { dots } from './faithfulness/figures.ts';
import type { Figure, Point } from './faithfulness/figures.ts';

/** Of each setting and measure: how far it is from `lens` on the same scenes. */
export type Differences = Readonly<Record<string, Readonly<Record<string, Estimate | null>>>>;

/** What is drawn, and which way it is better. */
const PANELS: Readonly<Record<string, string>> = {
  pointing: 'pointing ↑',
  energy: 'energy inside ↑',
  'Otsu IoU': 'Otsu IoU ↑',
  deletion: 'deletion ↓',
  insertion: 'insertion ↑',
  likeness: 'untrained likeness ↓',
};

const COLOURS = { 'differs from lens': '#d55e00', 'no difference shown': '#0072b2' } as const;

/** How the measures change with each ingredient. @param scenes how many were explained */
export function ablationFigure(differences: Differences, scenes: number): Figure {
  const rows = Object.keys(differences).filter((name) => name !== 'lens');
  const data = rows.flatMap((setting) =>
    Object.entries(PANELS).flatMap(([measure, panel]): Point[] => {
      const found = differences[setting]![measure];
      if (!found) return [];
      const [low, high] = found.interval ?? [found.mean, found.mean];
      const series = low > 0 || high < 0 ? 'differs from lens' : 'no difference shown';
      return [{ setting, panel, mean: found.mean, low, high, series }];
    }),
  );
  const drawn = dots(data, COLOURS, {
    x: { domain: [-0.4, 0.4], ticks: [-0.3, 0, 0.3], label: 'difference from lens' },
    panels: Object.values(PANELS),
    rows,
  });
  return {
    name: 'ablation',
    caption: `What changes when one ingredient of lens is changed at a time, on ${scenes} answers: mean paired differences with 95 % intervals, orange where they leave out 0`,
    options: { ...drawn, marks: [ruleX([0], { stroke: '#999' }), ...(drawn.marks ?? [])] },
  };
}
