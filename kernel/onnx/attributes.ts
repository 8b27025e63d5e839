import type { Constant, Graph, Node } from './graph.ts';
import { LensError } from '../errors.ts';

/** How messages name a node: operator, domain where it is not ONNX's own, node name and file. */
export function describeNode(node: Node): string {
  const parts = [`operator ${node.op}`];
  parts.push(node.domain === '' ? 'domain ai.onnx' : `domain ${node.domain}`);
  parts.push(`node "${node.name === '' ? (node.outputs[0] ?? '') : node.name}"`);
  if (node.file !== undefined) parts.push(`file "${node.file}"`);
  return parts.join(', ');
}

/** An error about one node. */
export const nodeError = (node: Node, what: string, remedy?: string): LensError =>
  new LensError(`${what} (${describeNode(node)})`, remedy);

function lookUp<T>(node: Node, name: string, kinds: readonly string[], fallback?: T): T {
  const attribute = node.attributes[name];
  if (attribute === undefined) {
    if (fallback === undefined) {
      throw nodeError(node, `attribute "${name}" is missing`, 'The file is not valid ONNX; export the model again');
    }
    return fallback;
  }
  if (!kinds.includes(attribute.kind)) {
    throw nodeError(node, `attribute "${name}" is of kind ${attribute.kind} instead of ${kinds.join(' or ')}`);
  }
  return attribute.value as T;
}

/** An attribute's value; without a fallback it must be there. */
export const intAttr = (node: Node, name: string, fallback?: number): number => lookUp(node, name, ['int'], fallback);
export const floatAttr = (node: Node, name: string, fallback?: number): number =>
  lookUp(node, name, ['float', 'int'], fallback);
export const stringAttr = (node: Node, name: string, fallback?: string): string =>
  lookUp(node, name, ['string'], fallback);
export const intsAttr = (node: Node, name: string, fallback?: readonly number[]): readonly number[] =>
  lookUp(node, name, ['ints'], fallback);
export const tensorAttr = (node: Node, name: string): Constant => lookUp<Constant>(node, name, ['tensor']);
export const graphAttr = (node: Node, name: string): Graph => lookUp<Graph>(node, name, ['graph']);
export const hasAttr = (node: Node, name: string): boolean => node.attributes[name] !== undefined;
