/** Changes to a cell's syntax tree that tslab's own transformation leaves out. */
import type ts from '@tslab/typescript-for-tslab';

type TypeScript = typeof ts;

/** Name of the global object through which a running cell reaches its variables, `require` and `import`. */
export const CELL_HOST = '__lvlm_lens_cell__';

/**
 * A transformer to run before TypeScript's own. It rewrites
 *
 * - `{ image }` to `{ image: exports.image }` where `image` comes from an earlier cell: tslab rewrites plain
 *   identifiers but leaves these, and the cell would fail with "image is not defined";
 * - `import(x)` to a call of ours: the CommonJS output would turn it into `require(x)`, which cannot load
 *   packages that are ES modules only.
 *
 * @param isEarlierCell whether a source file holds the declarations of earlier cells
 */
export function cellTransformer(
  typescript: TypeScript,
  checker: ts.TypeChecker,
  isEarlierCell: (file: ts.SourceFile) => boolean,
): ts.TransformerFactory<ts.SourceFile> {
  const { factory } = typescript;
  const declaredEarlier = (node: ts.ShorthandPropertyAssignment): boolean =>
    checker
      .getShorthandAssignmentValueSymbol(node)
      ?.declarations?.some((declaration) => isEarlierCell(declaration.getSourceFile())) ?? false;

  return (context) => {
    const visit = (node: ts.Node): ts.Node => {
      if (typescript.isShorthandPropertyAssignment(node) && declaredEarlier(node)) {
        const earlier = factory.createPropertyAccessExpression(factory.createIdentifier('exports'), node.name.text);
        const fallback = node.objectAssignmentInitializer;
        const value = fallback
          ? factory.createAssignment(earlier, typescript.visitNode(fallback, visit) as ts.Expression)
          : earlier;
        const property = factory.createPropertyAssignment(node.name.text, value);
        return typescript.setTextRange(typescript.setOriginalNode(property, node), node);
      }
      if (typescript.isCallExpression(node) && node.expression.kind === typescript.SyntaxKind.ImportKeyword) {
        const host = factory.createPropertyAccessExpression(factory.createIdentifier(CELL_HOST), 'importModule');
        const args = typescript.visitNodes(node.arguments, visit) as ts.NodeArray<ts.Expression>;
        const call = factory.createCallExpression(host, undefined, args);
        return typescript.setTextRange(typescript.setOriginalNode(call, node), node);
      }
      return typescript.visitEachChild(node, visit, context);
    };
    return (file) => typescript.visitNode(file, visit) as ts.SourceFile;
  };
}
