/** The commands and their options. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { METHODS } from '../attribution/methods.ts';
import { defaultModel } from '../defaults.ts';
import { packageVersion } from '../model/embedded.ts';
import { datasetCommand, type DatasetFlags } from './dataset.ts';
import { demoCommand } from './demo.ts';
import { jupyterInstallCommand, jupyterUninstallCommand, type PlaceFlags } from './jupyter.ts';
import { explainCommand, type ExplainFlags } from './explain.ts';
import { exportCommand } from './export.ts';
import { addModelsCommand } from './models.ts';
import { addOnnxCommand } from './onnx.ts';
import { runCommand } from './run.ts';

const METHOD = `attribution method: ${[...METHODS.keys()].join(', ')}`;
const PRESETS = [...new Set([...METHODS.values()].flatMap(({ presets = {} }) => Object.keys(presets)))];

/** What `explain` and `dataset` both take. A command keeps what it is given, so each gets its own. */
const preset = () =>
  new Option('--preset <name>', `a named set of the method's options: ${['default', ...PRESETS].join(', ')}`);
const seed = () => new Option('--seed <integer>', 'seed of all noise').argParser(number);
const maxNewTokens = () => new Option('--max-new-tokens <integer>', 'greatest length of an answer').argParser(number);
const noMetrics = () => new Option('--no-metrics', 'do not measure deletion and insertion');

/** @param signal aborts at Ctrl+C */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command('lvlm-lens')
    .description('Where does a vision-language model look when it answers, and does it look at all?')
    .version(packageVersion(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(lvlm-lens --help lists the commands)')
    .exitOverride();

  program
    .command('explain')
    .description('ask a model about an image, and show what in the image its answer rests on')
    .argument('<image>', 'path or URL of a picture')
    .argument('<question>')
    .option(
      '-o, --output <file>',
      'write the result as .html (interactive), .png, .md or .json; repeatable',
      collect,
      [],
    )
    .option(
      '-m, --model <model>',
      "an embedded model's name, a folder with ONNX files, or organisation/name on the Hub; data types may follow: folder#q4",
      defaultModel(),
    )
    .option('-a, --answer <text>', "explain this answer instead of the model's own")
    .option('--method <name>', METHOD)
    .addOption(preset())
    .option('--baseline <name>', 'what the image is compared with: blur, black, mean, noise')
    .option('--threshold <number>', 'log-likelihood ratio above which a token depends on the image', number)
    .addOption(seed())
    .addOption(maxNewTokens())
    .option('--no-per-token', 'only the joint map, no map for each token')
    .addOption(noMetrics())
    .action((image: string, question: string, flags: ExplainFlags) => explainCommand(image, question, flags, signal));

  program
    .command('dataset')
    .description('explain the answers to all questions of a benchmark; goes on where it stopped')
    .argument('<questions>', "the questions' file, or the benchmark's folder: MMVP, CV-Bench, LLaVA-Bench, MMStar")
    .requiredOption('-r, --results <file>', 'the DuckDB file that results are kept in, made where there is none')
    .option('-o, --output <file>', 'write the results as .parquet, .csv, .json or .md too; repeatable', collect, [])
    .option('-m, --model <model>', 'as for explain; repeatable', collect, [])
    .option('--method <name>', `${METHOD}; repeatable`, collect, [])
    .addOption(preset())
    .option('--format <name>', 'of the questions, where it cannot be told: mmvp, cv-bench, llava-bench, mmstar')
    .option('--images <folder>', 'folder with the pictures, where it is not the one of the benchmark')
    .option('--choices', 'let the model choose from the options instead of answering in its own words')
    .option('--limit <integer>', 'only so many samples, the first ones', number)
    .addOption(seed())
    .addOption(maxNewTokens())
    .option('--per-token', 'also a map for each token')
    .addOption(noMetrics())
    .option('--retry-failed', 'try samples again that have failed before')
    .action((questions: string, flags: DatasetFlags) => datasetCommand(questions, flags, signal));

  program
    .command('run')
    .description('execute the TypeScript cells of a notebook')
    .argument('<notebook>', 'path of an .ipynb file')
    .option('-o, --output <file>', 'write the executed notebook here instead of over the old one')
    .option('--allow-errors', 'go on after a cell that fails')
    .action((notebook: string, flags: { output?: string; allowErrors?: boolean }) =>
      runCommand(notebook, flags, signal),
    );

  program
    .command('export')
    .description('make one HTML page of a notebook, interactive and without need of a network')
    .argument('<notebook>', 'path of an .ipynb file')
    .option('-o, --output <file>', "default: the notebook's name with .html")
    .action((notebook: string, flags: { output?: string }) => exportCommand(notebook, flags));

  addModelsCommand(program, signal);
  addOnnxCommand(program);

  program
    .command('demo')
    .description('run the quickstart notebook and make an HTML report of it')
    .option('-o, --output <folder>', 'where to write both', 'out')
    .action((flags: { output: string }) => demoCommand(flags, signal));

  const jupyter = program.command('jupyter').description('the kernel for Jupyter and JupyterLab');
  for (const [name, description, action] of [
    ['install', 'make the kernel known to Jupyter', jupyterInstallCommand],
    ['uninstall', 'take the kernel away from Jupyter', jupyterUninstallCommand],
  ] as const) {
    jupyter
      .command(name)
      .description(description)
      .addOption(new Option('--user', "in the user's folder (default)").conflicts(['sysPrefix', 'prefix']))
      .addOption(new Option('--sys-prefix', "in Jupyter's own Python environment").conflicts(['user', 'prefix']))
      .addOption(new Option('--prefix <folder>', 'in the environment in this folder').conflicts(['user', 'sysPrefix']))
      .action((flags: PlaceFlags) => action(flags));
  }

  return program;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
