/** The kernel process: forked by the Jupyter front or by VS Code, it executes cells. */
import { serveSession } from './ipc.ts';

await serveSession();
