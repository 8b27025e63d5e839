/**
 * Starts to install the hosts as soon as this file is read: they come over the network, and the tests of other folders run meanwhile.
 * Each suite waits for its own, and says why where it cannot be had.
 */
import { setUpChromium } from './chromium.ts';
import { jupyterHost } from './jupyter-host.ts';
import { setUpVsCode } from './vscode/setup.ts';

for (const host of [jupyterHost(), setUpChromium(), setUpVsCode()]) host.catch(() => undefined);
