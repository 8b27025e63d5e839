/** How one of the extension's commands is tested. */
import type { Fixture } from '../fixture.ts';

/** @param fixture what the suite works with: tests leave it as they found it */
export type TestOfCommand = (fixture: Fixture, mocha: Mocha.Context) => Promise<void>;
