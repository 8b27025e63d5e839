/** The kernel that Jupyter starts: `node jupyter.js CONNECTION_FILE`. */
import { LensError } from '../errors.ts';
import { readConnectionFile } from './connection-file.ts';
import { JupyterFront } from './front.ts';
import { KernelProcess } from './kernel-process.ts';
import { bindSockets } from './sockets.ts';
import { Wire } from './wire.ts';

/** How often to look whether Jupyter is still there, in ms. */
const PARENT_INTERVAL = 2000;

try {
  const [file] = process.argv.slice(2);
  if (file === undefined) {
    throw new LensError('no connection file was given', 'Jupyter starts this program; "lvlm-lens jupyter install".');
  }
  const connection = readConnectionFile(file);
  // The process takes longest to start: first of all.
  const kernel = new KernelProcess({ cwd: process.cwd() });
  const wire = new Wire(connection.key, connection.signature_scheme);
  const sockets = await bindSockets(connection);
  const front = new JupyterFront({ sockets, wire, kernel, onEnd: (code) => process.exit(code) });
  process.on('SIGINT', () => {
    front.interrupt();
  });
  process.on('SIGTERM', () => void front.shutdown());
  process.on('exit', () => {
    kernel.kill();
  });
  endWithJupyter(() => void front.shutdown());
  front.start();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** A kernel must not outlive the server that started it, which may have been killed. */
function endWithJupyter(end: () => void): void {
  const parent = Number(process.env.JPY_PARENT_PID);
  if (!(parent > 1)) return;
  const timer = setInterval(() => {
    try {
      process.kill(parent, 0);
      return;
    } catch {
      // It is gone.
    }
    clearInterval(timer);
    end();
  }, PARENT_INTERVAL).unref();
}
