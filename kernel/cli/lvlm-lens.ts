#!/usr/bin/env node
/** The `lvlm-lens` command. */
import { main } from './main.ts';

const code = await main(process.argv.slice(2));
// What cells left running, a timer or a server, must not keep the command alive; what was written must get out.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<void>((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
}
process.exit(code);
