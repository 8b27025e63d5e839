/** Renderer for VS Code notebooks. */
import type { ActivationFunction } from 'vscode-notebook-renderer';
import { InvalidDocument, readDocument } from './read-document.ts';
import { mountView } from './view.ts';

/** VS Code tries the output's next MIME type when a renderer throws an error of this name. */
function fallBack(reason: InvalidDocument): Error {
  const error = new Error(reason.message, { cause: reason });
  error.name = 'vscode.fallbackToNextRenderer';
  return error;
}

export const activate: ActivationFunction = () => {
  const mounted = new Map<string, () => void>();
  const dispose = (id: string): void => {
    mounted.get(id)?.();
    mounted.delete(id);
  };
  return {
    renderOutputItem(item, host) {
      dispose(item.id);
      try {
        mounted.set(item.id, mountView(host, readDocument(item.json())));
      } catch (error) {
        throw error instanceof InvalidDocument || error instanceof SyntaxError
          ? fallBack(new InvalidDocument(error.message))
          : error;
      }
    },
    disposeOutputItem(id) {
      if (id === undefined) [...mounted.keys()].forEach(dispose);
      else dispose(id);
    },
  };
};
