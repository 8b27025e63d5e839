import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MICROSOFT_RULES, RULES } from '../../kernel/autodiff/index.ts';
import type { Cases } from './cases.ts';
import { CASES, MICROSOFT_CASES } from './cases.ts';
import { checkCase } from './check.ts';

const seed = fc.integer({ min: 1, max: 2 ** 31 });

const verify = (op: string, domain: string, cases: Cases) =>
  it(`${op} matches finite differences and ⟨Ju, v⟩ = ⟨u, Jᵀv⟩`, () =>
    fc.assert(
      fc.asyncProperty(cases, seed, (draft, drawn) => checkCase({ ...draft, op, domain, seed: drawn })),
      { seed: 20_250_101, numRuns: 8 },
    ));

describe('gradient rules', () => {
  for (const [op, cases] of Object.entries(CASES)) verify(op, '', cases);
  for (const [op, cases] of Object.entries(MICROSOFT_CASES)) verify(op, 'com.microsoft', cases);

  it('every rule has cases', () => {
    const ruled = Object.entries(RULES).flatMap(([op, rule]) => (rule === 'zero' ? [] : [op]));
    assert.deepEqual(ruled.sort(), Object.keys(CASES).sort());
    assert.deepEqual(Object.keys(MICROSOFT_RULES).sort(), Object.keys(MICROSOFT_CASES).sort());
  });
});
