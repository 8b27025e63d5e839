import type { z } from 'zod';
import { LensError } from './errors.ts';
import { didYouMean } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/**
 * Checks options given by a caller.
 * @param what whose options they are, for the message: 'explain()'
 * @throws LensError for the first thing that is wrong: an unknown option with the nearest known one and the list of all, or a
 *   wrong value with what is allowed
 */
export function checked<Schema extends z.ZodObject>(schema: Schema, given: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw complaint(issue!, given, what, Object.keys(schema.shape));
}

function complaint(issue: Issue, given: unknown, what: string, known: readonly string[]): LensError {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    const name = issue.keys[0]!;
    return new LensError(`${what} has no option "${name}"`, didYouMean(name, known, 'options'));
  }
  if (issue.path.length === 0) return new LensError(`${what} takes an object of options, not ${shown(given)}`);
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], given);
  const option = issue.path.map(String).join('.');
  if (value === undefined) return new LensError(`${what} needs the option "${option}"`, allowed(issue));
  return new LensError(`${what}: "${option}" cannot be ${shown(value)}`, allowed(issue));
}

/** What the schema says is allowed, as a sentence. */
function allowed(issue: Issue): string {
  if (issue.code === 'custom' || issue.code === 'invalid_union') return sentence(issue.message);
  if (issue.code === 'invalid_value') return `Allowed: ${issue.values.map((value) => shown(value)).join(', ')}`;
  if (issue.code === 'too_small')
    return `It must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unit(issue.origin)}`;
  if (issue.code === 'too_big')
    return `It must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unit(issue.origin)}`;
  if (issue.code === 'invalid_type') return `It must be ${article(issue.expected)}`;
  return sentence(issue.message);
}

const unit = (origin: string): string => (origin === 'string' ? ' character long' : origin === 'array' ? ' long' : '');

const NAMES: Readonly<Record<string, string>> = { int: 'whole number' };

function article(type: string): string {
  const name = NAMES[type] ?? type;
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A value as a message shows it: short, and by its kind where it is large. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `"${value.length > 60 ? `${value.slice(0, 57)}…` : value}"`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  return String(value);
}
