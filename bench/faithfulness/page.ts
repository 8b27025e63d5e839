import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { DEFAULT_METHOD } from '../../kernel/attribution/methods.ts';
import { BASELINES } from '../../kernel/engine/tasks/question-params.ts';
import { METRICS, metricRow, PER_BASELINE } from '../../kernel/metrics/metrics.ts';
import type { Measurement } from '../../kernel/metrics/metrics.ts';
import { escapeMarkdown } from '../../kernel/report/markdown.ts';
import { evaluations, figures, writeFigures } from './figures.ts';
import type { Figure } from './figures.ts';
import { SEARCH } from './flip-search.ts';
import { STEPS } from './measure.ts';
import { MAIN } from './plan.ts';
import { keep } from './records.ts';
import { isRuler, MEASURED, RULERS } from './rulers.ts';
import { ALPHA, METRIC_NAMES, Summary } from './summary.ts';
import type { Comparison } from './summary.ts';
import { TRUTH } from './truth.ts';

const PAGE = fileURLToPath(new URL('../../docs/faithfulness.md', import.meta.url));

/** The paper's methods with the paper's settings, which ours is to be as faithful as. */
const PEERS = ['igos+ paper', 'igos++ paper'];

/** The file that says exactly how a measurement is made. */
const FILES: Readonly<Record<Measurement, string>> = {
  curves: 'removal-curves',
  flips: 'flips',
  located: 'pointing-game',
  words: 'word-iou',
  seed: 'stability',
  shift: 'stability',
  weights: 'stability',
  cost: 'metrics',
};
const FILES_BY_NAME: Readonly<Record<string, string>> = {
  'energy inside': 'energy-inside',
  'IoU, best threshold': 'region-iou',
  'IoU, Otsu': 'region-iou',
};

/** Writes docs/faithfulness.md and its figures from all that has been measured, which it keeps in docs/faithfulness.json. */
export async function writePage(): Promise<void> {
  const records = await keep();
  const order = MEASURED.map(({ name }) => name);
  const models = [...new Set(records.map(({ model }) => model))].sort(
    (a, b) => Number(b === MAIN) - Number(a === MAIN),
  );
  const summaries = models.map((model) => new Summary(model, records, order));
  const main = summaries[0];
  if (main === undefined) throw new Error('nothing has been measured: npm run bench -- faithfulness --fill');
  const ours = main.settings.includes('lens') ? 'lens' : DEFAULT_METHOD;
  const all = figures(summaries, ours);
  await writeFigures(all);
  const page = [
    head(),
    figureOf(all, 'removal'),
    definitions(),
    besidePaper(main, ours),
    besideOthers(main, ours),
    figureOf(all, 'evidence'),
    figureOf(all, 'cost'),
    '## All methods, all metrics',
    tableWords(ours),
    figureOf(all, 'models'),
    ...summaries.flatMap((summary) => [`### ${summary.model}`, table(summary, ours), refusals(summary)]),
    LIMITS,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
  await writeFile(PAGE, await format(page, { ...(await resolveConfig(PAGE)), parser: 'markdown' }));
}

function head(): string {
  return `# How faithful are the maps?

A map that was optimised for deletion and insertion on the very picture that it is then scored on proves nothing by a good score. So every method is measured here
by metrics that it was not optimised for: removal with four different stand-ins, the answer given anew, the places where the evidence is known to lie, and whether
the map stays when it should and goes when it should.

This page, its figures and \`docs/faithfulness.json\`, which holds every single value, are made by one command from what has been measured:

    npm run bench -- faithfulness --page

and this measures what is missing (hours on two cores; it goes on where it was stopped):

    npm run bench -- faithfulness --fill

The scenes are those of \`test/evidence\`, and for \`pocket-tiles\` those of \`test/evidence-small\`, which suit it. A scene counts for a model that answers it exactly
and whose answer depends on the picture. For each such scene all methods explain the same tokens of the same answer with the same stand-in. How many scenes were
measured is a question of time and stands in the tables; the scenes of a shorter run are among those of a longer one, and hold all kinds of questions alike. Curves
have ${STEPS} steps of ${1024 / STEPS} cells; a curve is normalised, and counted, only where image and stand-in differ by at least 0.2 of probability (the raw
ones always count). Intervals are 95 % bootstrap intervals of the mean over scenes. Differences are tested in pairs, scene by scene, by a sign-flip
randomisation test, two-sided, at ${ALPHA}, with Holm's correction for the number of methods that one is compared with by one metric.`;
}

const figureOf = (all: readonly Figure[], name: string): string => {
  const figure = all.find((each) => each.name === name);
  return figure === undefined ? '' : `![${figure.caption}](images/faithfulness/${name}.svg)\n\n${figure.caption}.`;
};

function definitions(): string {
  const rows = METRICS.map(({ name, better, range, summary, from }) => {
    const file = FILES_BY_NAME[name] ?? FILES[from];
    const shown = range
      .map((end) => (Number.isFinite(end) ? String(end) : end < 0 ? '−∞' : '∞').replace('-', '−'))
      .join(' … ');
    const each = PER_BASELINE.includes(from) ? `, with each of ${BASELINES.join(', ')}` : '';
    return `| ${name} | ${better} | ${shown} | ${summary}${each} | [${file}.ts](../kernel/metrics/${file}.ts) |`;
  });
  return [
    '## What is measured',
    '',
    '| metric | better | range | what it is | exactly |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** What a metric is called in a sentence, its direction known. */
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
const plain = (value: number): string => value.toFixed(Math.abs(value) >= 100 ? 0 : 3).replace('-', '−');
const chance = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3));
const COST = METRICS.filter(({ from }) => from === 'cost').map(({ name }) => name);

function besidePaper(main: Summary, ours: string): string {
  const peers = PEERS.filter((peer) => main.settings.includes(peer));
  if (peers.length === 0 || ours !== 'lens') return '';
  // Times of a busy machine are no comparison.
  const compared = METRIC_NAMES.filter((metric) => metric !== 'milliseconds')
    .map((metric) => ({ metric, tests: main.comparisons(ours, metric, peers) }))
    .filter(({ tests }) => tests.length > 0);
  const rows = compared.map(({ metric, tests }) => {
    const mine = main.estimate(ours, metric)!;
    const cells = peers.map((peer) => {
      const test = tests.find(({ setting }) => setting === peer);
      if (test === undefined) return 'not measured | ';
      const verdict = test.verdict === 'no difference shown' ? test.verdict : `**${test.verdict}**`;
      return `${inFull(test)} | ${verdict}`;
    });
    return `| ${metric} (${metricRow(metric)!.better}) | ${plain(mine.mean)} | ${cells.join(' | ')} |`;
  });
  const judged = compared.flatMap(({ tests }) => tests).filter(({ metric }) => !COST.includes(metric));
  const worse = judged.filter(({ verdict }) => verdict === 'worse');
  const better = judged.filter(({ verdict }) => verdict === 'better');
  return [
    `## \`${ours}\` beside iGOS+ and iGOS++ with the paper's settings`,
    '',
    `On \`${main.model}\`, \`${ours}\` takes ${taken(main, ours)} for a joint map; ${peers
      .map((peer) => `${peer} takes ${taken(main, peer)}`)
      .join(
        ' and ',
      )}. Of ${judged.length} comparisons by other metrics than cost, \`${ours}\` is better in ${better.length} and worse in ${worse.length}; in the other ${
      judged.length - better.length - worse.length
    } no difference was shown, which is not to say that there is none: the intervals tell how large it may be.`,
    '',
    ...(worse.length === 0
      ? ['There is no metric by which one of the two is shown to be better.']
      : [
          "**The paper's methods are better here:**",
          '',
          ...worse.map((test) => `- ${besideTruth(main, test)}`),
          ...(worse.some((test) => truthBeside(main, test)) ? ['', TRUTH_NOTE] : []),
        ]),
    '',
    '### Where it should be better, or have what is within reach',
    '',
    ...withinReach(main, ours, peers),
    '',
    reachNote(main, [ours, ...peers, SEARCH.name]),
    '',
    '### Every metric',
    '',
    `| metric (better) | ${ours} | ${peers.map((peer) => `${ours} − ${peer} | `).join(' | ')} |`,
    `| --- | --- | ${peers.map(() => '--- | ---').join(' | ')} |`,
    ...rows,
  ].join('\n');
}

/** What a map takes: '20 gradients and 45 forward evaluations (as much as 91 forward ones)'. */
function taken(main: Summary, setting: string): string {
  const found = evaluations(main, setting);
  if (found === undefined) return 'what was not measured';
  const [gradient, forward, both] = [found.gradient, found.forward, found.both].map((count) => count.toFixed(0));
  return `${gradient} gradients and ${forward} forward evaluations (as much as ${both} forward ones)`;
}

/** A difference from a peer, and how far the evidence itself as the map is from that peer. */
function besideTruth(main: Summary, { setting, metric, difference }: Comparison): string {
  const ours = `${setting} by ${metric}, by ${signed(difference)}`;
  const truth = truthBeside(main, { setting, metric });
  if (truth === undefined) return ours;
  return `${ours}; ${TRUTH.name} as the map differs from it by ${inFull(truth)}: ${truth.verdict}`;
}

/** How the evidence itself as the map compares with a setting, where that was measured. */
const truthBeside = (main: Summary, { setting, metric }: Pick<Comparison, 'setting' | 'metric'>) =>
  main.comparisons(TRUTH.name, metric, [setting])[0];

/** A difference with its interval, its corrected p and the number of scenes. */
function inFull({ difference, interval, corrected, count }: Comparison): string {
  const [low, high] = interval ?? [difference, difference];
  return `${signed(difference)} (${signed(low)} … ${signed(high)}), p ${chance(corrected)}, n ${count}`;
}

const TRUTH_NOTE = `By how much ${TRUTH.name} differs tells what such a score is worth: where a map that shows just what is asked about deletes no better than ours, the
peer wins by removing something else, which a mask optimised for deletion on the picture in question can find.`;

/** Whether ours is better than every peer, or has what is within reach: the pointing game, and flips with each stand-in. */
function withinReach(main: Summary, ours: string, peers: readonly string[]): string[] {
  const metrics = METRIC_NAMES.filter((name) => /^(pointing game|flips when)/.test(name));
  const rulers = RULERS.map(({ name }) => name);
  const rows = metrics.map((metric) => {
    const cells = [
      share(main, ours, metric),
      ...rulers.map((ruler) => shareOfRuler(main, ours, ruler, metric)),
      ...peers.map((peer) => {
        const test = main.comparisons(ours, metric, peers).find(({ setting }) => setting === peer);
        return test === undefined ? '' : `${share(main, peer, metric)}: ${test.verdict}, p ${chance(test.corrected)}`;
      }),
    ];
    return `| ${metric} | ${cells.join(' | ')} |`;
  });
  const columns = [
    'metric',
    ours,
    ...rulers.map((ruler) => `${ruler}: ${ours} has`),
    ...peers.map((peer) => `${peer}: ${ours} is`),
  ];
  return [`| ${columns.join(' | ')} |`, `| ${columns.map(() => '---').join(' | ')} |`, ...rows];
}

function share(main: Summary, setting: string, metric: string): string {
  const found = main.estimate(setting, metric);
  return found === null ? '' : `${percent(found.mean)} of ${found.count}`;
}

/** What a ruler reaches, and how much of that ours has on the scenes that both have, with the paired difference. */
function shareOfRuler(main: Summary, ours: string, ruler: string, metric: string): string {
  const [beside] = main.comparisons(ours, metric, [ruler]);
  if (beside === undefined) return '';
  const { a: mine, b: theirs } = main.pairs(ours, ruler, metric);
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  // Of what should be little no share tells how near one is.
  const part = metricRow(metric)!.better === 'higher' ? `${percent(total(mine) / total(theirs))} of that, ` : '';
  return `${share(main, ruler, metric)}: ${part}${inFull(beside)}`;
}

/** What the table of what is within reach says. */
function reachNote(main: Summary, settings: readonly string[]): string {
  const { forward } = evaluations(main, SEARCH.name) ?? {};
  if (forward === undefined) return '';
  const any = BASELINES.map((baseline) => `${byAny(main, settings, `flips when deleted (${baseline})`)} (${baseline})`);
  return `An answer such as "no, there is no dog" or "the background is pink" hardly changes whatever eighth of the picture goes. How many answers change at all is told by *${SEARCH.name}*: for each answer and each
stand-in anew, ${forward.toFixed(0)} forward evaluations look for the eighth without which the answer's least likely token is least likely, block by block, and for nothing else. ${list(settings)} do not change
the same answers: by at least one of them ${list(any)} change. Where there is evidence, _${TRUTH.name}_ is the map that shows all of it and nothing else.`;
}

/** How many answers change by at least one of several settings' maps, as a share of those that all have. */
function byAny(main: Summary, settings: readonly string[], metric: string): string {
  const all = settings.map((setting) => main.values(setting, metric));
  const scenes = [...all[0]!.keys()].filter((scene) => all.every((values) => values.has(scene)));
  const some = scenes.filter((scene) => all.some((values) => values.get(scene) === 1));
  return percent(some.length / scenes.length);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const list = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;

function besideOthers(main: Summary, ours: string): string {
  const metrics = METRIC_NAMES.filter((name) => /^(deletion|insertion) \(/.test(name));
  const rows = metrics.map((metric) => {
    const tests = main.comparisons(ours, metric);
    const of = (verdict: string) => tests.filter((test) => test.verdict === verdict).map(({ setting }) => setting);
    const [better, worse, open] = [of('better'), of('worse'), of('no difference shown')];
    return `| ${metric} | ${better.length} of ${tests.length} | ${list(open) || 'none'} | ${list(worse) || 'none'} |`;
  });
  return [
    `## \`${ours}\` beside every other method`,
    '',
    `Deletion and insertion on \`${main.model}\`, with each stand-in. The exceptions, where another method is as good or better, are named.`,
    '',
    `| metric | ${ours} is better than | no difference shown from | worse than |`,
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function tableWords(ours: string): string {
  return `Means with 95 % intervals; beneath, of how many scenes where that is not n. **Bold**: the best mean of its column. ▲ significantly better than \`${ours}\`, ▽ significantly
worse (paired, corrected). Means over different numbers of scenes are not to be compared by eye, and the marks may: they compare on the scenes that both have. *${TRUTH.name}* and *${SEARCH.name}*, where
they were measured, are no methods but tell what is within reach: a map of the places where the evidence is known to lie, and, for each stand-in anew, the eighth of the image that a greedy search finds to change
the answer, block by block. Costs are counted for one joint map; two forward evaluations of it select the tokens. Times were taken on a busy machine and are upper
bounds.`;
}

/** Columns of the big table, without cost. */
function table(summary: Summary, ours: string): string {
  const metrics = METRIC_NAMES.filter((metric) =>
    summary.settings.some((setting) => summary.values(setting, metric).size > 0),
  );
  const settings = summary.settings.filter((setting) => summary.refusal(setting) === undefined);
  const verdicts = new Map<string, string>();
  for (const metric of metrics.filter((name) => !COST.includes(name))) {
    for (const { setting, verdict } of summary.comparisons(ours, metric)) {
      if (verdict !== 'no difference shown') verdicts.set(`${setting}\n${metric}`, verdict === 'better' ? ' ▽' : ' ▲');
    }
  }
  const best = new Map(
    metrics.map((metric) => {
      const means = settings
        .filter((setting) => !isRuler(setting))
        .flatMap((setting) => summary.estimate(setting, metric)?.mean ?? []);
      return [metric, metricRow(metric)!.better === 'higher' ? Math.max(...means) : Math.min(...means)];
    }),
  );
  const rows = settings.map((setting) => {
    const n = Math.max(...metrics.map((metric) => summary.values(setting, metric).size));
    const cells = metrics.map((metric) => {
      const found = summary.estimate(setting, metric);
      if (found === null) return '';
      const mean = plain(found.mean);
      const shown = `${found.mean === best.get(metric) ? `**${mean}**` : mean}${verdicts.get(`${setting}\n${metric}`) ?? ''}`;
      if (COST.includes(metric)) return mean;
      const interval = found.interval ? `<br>${plain(found.interval[0])} … ${plain(found.interval[1])}` : '';
      return `${shown}${interval}${found.count === n ? '' : `<br>n ${found.count}`}`;
    });
    return `| ${setting} | ${n} | ${cells.join(' | ')} |`;
  });
  return [
    `| method | n | ${metrics.map((metric) => `${metric} ${metricRow(metric)!.better === 'higher' ? '↑' : '↓'}`).join(' | ')} |`,
    `| --- | --- | ${metrics.map(() => '---').join(' | ')} |`,
    ...rows,
  ].join('\n');
}

function refusals(summary: Summary): string {
  return summary.settings
    .flatMap((setting) => {
      const why = summary.refusal(setting);
      return why === undefined ? [] : [`- ${setting} does not work on \`${summary.model}\`: ${escapeMarkdown(why)}`];
    })
    .join('\n');
}

const LIMITS = `## What this does not show

- Removing cells makes pictures that no model saw in training. Four stand-ins are strange in four ways; a result that holds with all of them is worth more.
- The evidence is what we think an answer rests on. A model may answer rightly from something else; then a faithful map misses the evidence.
- These are small models of a small world. How a method does on yours, \`evaluate()\` tells.
- Where no difference is shown there may be one too small for so few scenes.`;
