import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { dot, frame, gridX, plot, ruleX, ruleY, text } from '@observablehq/plot';
import type { Markish, PlotOptions } from '@observablehq/plot';
import { Window } from 'happy-dom';
import { BASELINES } from '../../kernel/engine/tasks/question-params.ts';
import { FORWARDS_PER_GRADIENT } from '../../kernel/engine/tasks/time-left.ts';
import { estimate } from '../../kernel/metrics/bootstrap.ts';
import type { Summary } from './summary.ts';

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/** Okabe and Ito's colours, which colour-blind people tell apart. */
const COLOURS = { ours: '#d55e00', others: '#0072b2', deletion: '#cc79a7', insertion: '#009e73' } as const;

/** A mean with its interval, somewhere in a figure. */
export interface Point {
  readonly setting: string;
  readonly panel: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly series: string;
}

/** A figure: its file's name, what it shows, and how it is drawn; undefined where there is nothing to draw. */
export interface Figure {
  readonly name: string;
  readonly caption: string;
  readonly options: PlotOptions;
}

/** All figures. @param summaries of each model, the main one first @param ours the setting that is set off */
export function figures(summaries: readonly Summary[], ours: string): Figure[] {
  const [main] = summaries;
  if (main === undefined) return [];
  const all = [removal(main), evidence(main, ours), cost(main, ours), acrossModels(summaries, ours)];
  return all.filter((figure) => figure !== undefined);
}

/** Writes the figures as SVG files. @param folder of docs/images */
export async function writeFigures(all: readonly Figure[], folder = 'faithfulness'): Promise<void> {
  await mkdir(path.join(IMAGES, folder), { recursive: true });
  const window = new Window();
  try {
    for (const { name, caption, options } of all) {
      const drawn = plot({ ...options, document: window.document as unknown as Document, ariaLabel: caption });
      drawn.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
      await writeFile(path.join(IMAGES, folder, `${name}.svg`), `${drawn.outerHTML}\n`);
    }
  } finally {
    await window.happyDOM.close();
  }
}

function points(
  summary: Summary,
  panel: string,
  series: (setting: string) => string,
  valuesOf: (setting: string) => readonly number[],
): Point[] {
  return summary.settings.flatMap((setting) => {
    const found = estimate(valuesOf(setting));
    if (found === null) return [];
    const [low, high] = found.interval ?? [found.mean, found.mean];
    return [{ setting, panel, mean: found.mean, low, high, series: series(setting) }];
  });
}

/** Dots with their intervals, one row for each method and one panel beside the other. */
export function dots(
  data: readonly Point[],
  colours: Readonly<Record<string, string>>,
  { x, panels, rows }: { x: PlotOptions['x']; panels: readonly string[]; rows: readonly string[] },
): PlotOptions {
  const marks: Markish[] = [
    gridX({ stroke: '#ddd', strokeOpacity: 1 }),
    frame({ stroke: '#ccc' }),
    ruleY(data, { fx: 'panel', y: 'setting', x1: 'low', x2: 'high', stroke: 'series', strokeWidth: 1.5 }),
    dot(data, { fx: 'panel', x: 'mean', y: 'setting', fill: 'series', r: 3 }),
  ];
  return {
    width: Math.max(560, 150 + panels.length * 195),
    height: 70 + rows.length * 19,
    marginLeft: 160,
    marginRight: 12,
    style: LOOK,
    fx: { domain: [...panels], label: null, padding: 0.12 },
    y: { domain: [...rows], label: null, tickSize: 0 },
    // An interval of few scenes may be wider than its panel.
    x: { ...x, clamp: true },
    color: {
      domain: Object.keys(colours),
      range: Object.values(colours),
    },
    marks,
  };
}

const LOOK = { background: 'white', color: '#222', fontFamily: 'system-ui, sans-serif', fontSize: '11px' } as const;

const differences = (summary: Summary, setting: string): number[] => {
  const sums = new Map<string, number[]>();
  for (const baseline of BASELINES) {
    const deletion = summary.values(setting, `deletion (${baseline})`);
    for (const [scene, insertion] of summary.values(setting, `insertion (${baseline})`)) {
      const removed = deletion.get(scene);
      if (removed !== undefined) sums.set(scene, [...(sums.get(scene) ?? []), insertion - removed]);
    }
  }
  return [...sums.values()].map((each) => each.reduce((sum, value) => sum + value, 0) / each.length);
};

function removal(summary: Summary): Figure | undefined {
  const data = BASELINES.flatMap((baseline) =>
    (['deletion', 'insertion'] as const).flatMap((kind) =>
      points(
        summary,
        baseline,
        () => kind,
        (setting) => [...summary.values(setting, `${kind} (${baseline})`).values()],
      ),
    ),
  );
  if (data.length === 0) return undefined;
  return {
    name: 'removal',
    caption: `Deletion (pink, lower is better) and insertion (green, higher is better) of every method with each of four stand-ins, ${summary.model}; means with 95 % intervals`,
    options: dots(
      data,
      { deletion: COLOURS.deletion, insertion: COLOURS.insertion },
      {
        x: { domain: [-0.5, 1.25], ticks: [0, 0.5, 1], label: 'normalised probability' },
        panels: [...BASELINES],
        rows: summary.settings.filter((name) => data.some(({ setting }) => setting === name)),
      },
    ),
  };
}

function evidence(summary: Summary, ours: string): Figure | undefined {
  const panels: Readonly<Record<string, readonly string[]>> = {
    'flips when deleted': BASELINES.map((baseline) => `flips when deleted (${baseline})`),
    'pointing game': ['pointing game'],
    'energy inside': ['energy inside'],
    'IoU, Otsu': ['IoU, Otsu'],
  };
  const series = (setting: string) => (setting === ours ? 'ours' : 'others');
  const data = Object.entries(panels).flatMap(([panel, metrics]) =>
    points(summary, panel, series, (setting) => meanByScene(summary, setting, metrics)),
  );
  if (data.length === 0) return undefined;
  return {
    name: 'evidence',
    caption: `Answers that flip when the top 12.5 % is deleted (mean of the four stand-ins), and where the heat lies, ${summary.model}; means with 95 % intervals, higher is better`,
    options: dots(
      data,
      { ours: COLOURS.ours, others: COLOURS.others },
      {
        x: { domain: [0, 1], ticks: [0, 0.5, 1], label: 'share' },
        panels: Object.keys(panels),
        rows: summary.settings.filter((name) => data.some(({ setting }) => setting === name)),
      },
    ),
  };
}

/** Each scene's mean over several metrics. */
function meanByScene(summary: Summary, setting: string, metrics: readonly string[]): number[] {
  const scenes = new Map<string, number[]>();
  for (const metric of metrics) {
    for (const [scene, value] of summary.values(setting, metric))
      scenes.set(scene, [...(scenes.get(scene) ?? []), value]);
  }
  return [...scenes.values()].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
}

/** Means of what a setting's map takes: gradients, forward evaluations, and both counted as forward ones; undefined where not measured. */
export function evaluations(summary: Summary, setting: string) {
  const gradient = summary.estimate(setting, 'gradient evaluations')?.mean;
  const forward = summary.estimate(setting, 'forward evaluations')?.mean;
  if (gradient === undefined || forward === undefined) return undefined;
  return { gradient, forward, both: forward + FORWARDS_PER_GRADIENT * gradient };
}

function cost(summary: Summary, ours: string): Figure | undefined {
  const data = summary.settings.flatMap((setting) => {
    const taken = evaluations(summary, setting);
    const score = estimate(differences(summary, setting));
    if (!taken || !score) return [];
    const [low, high] = score.interval ?? [score.mean, score.mean];
    const series = setting === ours ? 'ours' : 'others';
    return [{ setting, cost: taken.both, mean: score.mean, low, high, series }];
  });
  if (data.length === 0) return undefined;
  return {
    name: 'cost',
    caption: `What a map costs (forward evaluations, a gradient counted as ${FORWARDS_PER_GRADIENT}) and how faithful it is (insertion less deletion, mean of the four stand-ins), ${summary.model}`,
    options: {
      width: 760,
      height: 440,
      marginLeft: 50,
      marginRight: 110,
      style: LOOK,
      x: { type: 'log', label: 'evaluations for one map', grid: true, tickFormat: ',' },
      y: { domain: [-0.6, 1.2], clamp: true, label: 'insertion − deletion', grid: true },
      color: { domain: ['ours', 'others'], range: [COLOURS.ours, COLOURS.others] },
      marks: [
        ruleX(data, { x: 'cost', y1: 'low', y2: 'high', stroke: 'series' }),
        dot(data, { x: 'cost', y: 'mean', fill: 'series', r: 4 }),
        text(data, { x: 'cost', y: 'mean', text: 'setting', dx: 8, textAnchor: 'start' }),
      ],
    },
  };
}

function acrossModels(summaries: readonly Summary[], ours: string): Figure | undefined {
  if (summaries.length < 2) return undefined;
  const series = (setting: string) => (setting === ours ? 'ours' : 'others');
  const data = summaries.flatMap((summary) =>
    points(summary, summary.model, series, (setting) => differences(summary, setting)),
  );
  const rows = [...new Set(summaries.flatMap(({ settings }) => settings))];
  return {
    name: 'models',
    caption:
      'Insertion less deletion, mean of the four stand-ins, for each model; means with 95 % intervals, higher is better',
    options: dots(
      data,
      { ours: COLOURS.ours, others: COLOURS.others },
      {
        x: { domain: [-0.5, 1.1], ticks: [0, 0.5, 1], label: 'insertion − deletion' },
        panels: summaries.map(({ model }) => model),
        rows: rows.filter((name) => data.some(({ setting }) => setting === name)),
      },
    ),
  };
}
