/** TypeScript's words for what a name is, and VS Code's icons for them. */
import { CompletionItemKind as Kind } from 'vscode';

const KINDS: Readonly<Record<string, Kind>> = {
  keyword: Kind.Keyword,
  module: Kind.Module,
  'external module name': Kind.Module,
  class: Kind.Class,
  'local class': Kind.Class,
  interface: Kind.Interface,
  type: Kind.Class,
  'type parameter': Kind.TypeParameter,
  enum: Kind.Enum,
  'enum member': Kind.EnumMember,
  var: Kind.Variable,
  let: Kind.Variable,
  'local var': Kind.Variable,
  parameter: Kind.Variable,
  const: Kind.Constant,
  function: Kind.Function,
  'local function': Kind.Function,
  method: Kind.Method,
  construct: Kind.Constructor,
  property: Kind.Property,
  getter: Kind.Property,
  setter: Kind.Property,
  accessor: Kind.Property,
  string: Kind.Value,
  directory: Kind.Folder,
  script: Kind.File,
  alias: Kind.Reference,
};

export function completionKind(word: string): Kind {
  return KINDS[word] ?? Kind.Text;
}
