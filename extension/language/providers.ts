/** Completion, hover and signature help in cells: asked of the kernel, which knows the variables of the cells that ran. */
import * as vscode from 'vscode';
import type { RequestName, Requests } from '../../kernel/jupyter/ipc-protocol.ts';
import { NOTEBOOK_TYPE, type LensController } from '../controller.ts';
import type { Log } from '../log.ts';
import { completionKind } from './completion-kinds.ts';
import { hoverText, plain } from './documentation.ts';
import { parametersOf, withoutKind } from './signature.ts';

const CELLS: vscode.DocumentFilter = { notebookType: NOTEBOOK_TYPE, language: 'typescript' };

/** Characters after which VS Code asks on its own. */
const COMPLETE_AFTER = ['.', '"', "'", '`', '/', '@', '{', ' '];
const SIGNATURE_AFTER = ['(', ','];

export function registerLanguageFeatures(controller: LensController, log: Log): vscode.Disposable {
  /** The kernel's answer; undefined for cells of other kernels, and where nobody waits for it any more. */
  const ask = async <Name extends Exclude<RequestName, 'execute'>>(
    document: vscode.TextDocument,
    token: vscode.CancellationToken,
    name: Name,
    params: Requests[Name]['params'],
  ): Promise<Requests[Name]['result'] | undefined> => {
    const notebook = vscode.workspace.notebookDocuments.find((each) =>
      each.getCells().some((cell) => cell.document === document),
    );
    const kernel = notebook && controller.kernelOf(notebook);
    if (!kernel) return undefined;
    try {
      const { process } = await kernel.running();
      const cancelled = new Promise<undefined>((resolve) =>
        token.onCancellationRequested(() => {
          resolve(undefined);
        }),
      );
      return await Promise.race([process.request(name, params), cancelled]);
    } catch (error) {
      log.warn(`${name}: ${String(error)}`);
      return undefined;
    }
  };
  const caret = (document: vscode.TextDocument, position: vscode.Position) => ({
    code: document.getText().replaceAll('\r\n', '\n'),
    offset: document.offsetAt(position) - (document.eol === vscode.EndOfLine.CRLF ? position.line : 0),
  });

  return vscode.Disposable.from(
    vscode.languages.registerCompletionItemProvider(
      CELLS,
      {
        async provideCompletionItems(document, position, token) {
          const at = caret(document, position);
          const answer = await ask(document, token, 'complete', at);
          if (!answer) return undefined;
          const from = position.translate(0, -Math.min(position.character, at.offset - answer.start));
          const to = position.translate(0, answer.end - at.offset);
          return answer.candidates.map(({ text, kind }, index) => {
            const item = new vscode.CompletionItem(text, completionKind(kind));
            item.range = new vscode.Range(from, to);
            // In the kernel's order, before what others propose.
            item.sortText = `0${String(index).padStart(5, '0')}`;
            return item;
          });
        },
      },
      ...COMPLETE_AFTER,
    ),
    vscode.languages.registerHoverProvider(CELLS, {
      async provideHover(document, position, token) {
        const answer = await ask(document, token, 'inspect', caret(document, position));
        if (!answer || answer.parameter !== undefined) return undefined;
        return new vscode.Hover(hoverText(answer), document.getWordRangeAtPosition(position));
      },
    }),
    vscode.languages.registerSignatureHelpProvider(
      CELLS,
      {
        async provideSignatureHelp(document, position, token) {
          const { code, offset } = caret(document, position);
          const answer = await ask(document, token, 'inspect', { code: withoutWordAt(code, offset), offset });
          if (answer?.parameter === undefined) return undefined;
          const label = withoutKind(answer.signature);
          const signature = new vscode.SignatureInformation(label, plain(answer.documentation));
          signature.parameters = parametersOf(label).map(
            ([start, end]) => new vscode.ParameterInformation([start, end]),
          );
          const help = new vscode.SignatureHelp();
          help.signatures = [signature];
          help.activeSignature = 0;
          help.activeParameter = answer.parameter;
          return help;
        },
      },
      ...SIGNATURE_AFTER,
    ),
  );
}

/** The code with blanks for the name that the caret touches: asked about a blank, the kernel tells of the call around it. */
function withoutWordAt(code: string, offset: number): string {
  const before = /[\w$]*$/.exec(code.slice(0, offset))![0].length;
  const after = /^[\w$]*/.exec(code.slice(offset))![0].length;
  return code.slice(0, offset - before) + ' '.repeat(before + after) + code.slice(offset + after);
}
