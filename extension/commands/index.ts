/** The commands, by the names that package.json has. */
import type { Command } from '../context.ts';
import { explainImage } from './explain-image.ts';
import { exportHtml } from './export-html.ts';
import { installJupyterKernel } from './install-jupyter-kernel.ts';
import { newNotebook } from './new-notebook.ts';
import { openQuickstart } from './open-quickstart.ts';
import { restartKernel } from './restart-kernel.ts';
import { selectModel } from './select-model.ts';

/**
 * What a message says failed, the command, and whether it executes something: where the folder is not trusted menus do not offer it, but links
 * and other extensions can start it.
 */
export const COMMANDS: Readonly<Record<string, readonly [what: string, command: Command, trust?: 'needs trust']>> = {
  'lvlmLens.newNotebook': ['The notebook could not be opened', newNotebook],
  'lvlmLens.explainImage': ['The image could not be explained', explainImage, 'needs trust'],
  'lvlmLens.exportHtml': ['The notebook could not be exported', exportHtml],
  'lvlmLens.selectModel': ['The model could not be selected', selectModel, 'needs trust'],
  'lvlmLens.restartKernel': ['The kernel could not be restarted', restartKernel, 'needs trust'],
  'lvlmLens.installJupyterKernel': ['The Jupyter kernel could not be installed', installJupyterKernel, 'needs trust'],
  'lvlmLens.openQuickstart': ['The quickstart could not be opened', openQuickstart],
  'lvlmLens.showLog': [
    'The log could not be shown',
    ({ log }) => {
      log.show();
      return Promise.resolve();
    },
  ],
};
