import type { Rule, Site } from '../site.ts';

const one = (s: Site): string => s.b.scalar(1, s.x());
const square = (s: Site, x: string): string => s.b.mul(x, x);

/** d tan x = (1 + tan² x)·dx */
export const tan: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.add(square(s, s.y()), one(s)))];

/** d sinh x = cosh x·dx */
export const sinh: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.op('Cosh', [s.x()]))];

/** d cosh x = sinh x·dx */
export const cosh: Rule = (s) => [() => s.b.mul(s.thinDy, s.b.op('Sinh', [s.x()]))];

/** d asin x = dx/√(1 − x²) */
export const asin: Rule = (s) => [() => s.b.div(s.thinDy, s.b.op('Sqrt', [s.b.sub(one(s), square(s, s.x()))]))];

/** d acos x = −dx/√(1 − x²) */
export const acos: Rule = (s) => [
  () => s.b.div(s.b.scale(s.thinDy, -1), s.b.op('Sqrt', [s.b.sub(one(s), square(s, s.x()))])),
];

/** d atan x = dx/(1 + x²) */
export const atan: Rule = (s) => [() => s.b.div(s.thinDy, s.b.add(square(s, s.x()), one(s)))];

/** d asinh x = dx/√(x² + 1) */
export const asinh: Rule = (s) => [() => s.b.div(s.thinDy, s.b.op('Sqrt', [s.b.add(square(s, s.x()), one(s))]))];

/** d acosh x = dx/√(x² − 1) */
export const acosh: Rule = (s) => [() => s.b.div(s.thinDy, s.b.op('Sqrt', [s.b.sub(square(s, s.x()), one(s))]))];

/** d atanh x = dx/(1 − x²) */
export const atanh: Rule = (s) => [() => s.b.div(s.thinDy, s.b.sub(one(s), square(s, s.x())))];
