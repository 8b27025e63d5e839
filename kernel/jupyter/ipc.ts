/** A session that answers over Node IPC: what runs in a kernel process. See `ipc-protocol.ts`. */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { LensError } from '../errors.ts';
import { cachedModels } from '../hub/index.ts';
import type { Progress } from '../attribution/scorer.ts';
import { loadModel } from '../load-model.ts';
import { shutdown } from '../default-engine.ts';
import { embeddedModels, packageVersion } from '../model/embedded.ts';
import { ANSWERED, BUSY, SHARED_CELLS, type InterruptMessage } from './interrupter.ts';
import { typescriptVersion } from './language-info.ts';
import { MARKER, type FromKernel, type RequestName, type Requests, type ToKernel } from './ipc-protocol.ts';
import { createSession, type Session } from './session.ts';
import { streamBatch } from './stream-batch.ts';
import { CellSources, describeError } from './traceback.ts';

/** Answers requests until the parent goes or asks to shut down. Returns when cells can be executed. */
export async function serveSession(): Promise<void> {
  const send = (message: FromKernel): void => {
    process.send?.(message, undefined, undefined, () => undefined);
  };
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_CELLS * Int32Array.BYTES_PER_ELEMENT));
  const undisturbed = <T>(work: () => T): T => {
    Atomics.add(shared, BUSY, 1);
    try {
      return work();
    } finally {
      Atomics.sub(shared, BUSY, 1);
    }
  };
  const cells = new Map<string, AbortController>();
  const asked = new Map<string, (value: string | undefined) => void>();
  const waiting: ToKernel[] = [];
  let session: Session | undefined;

  const interrupter = startInterrupter(shared);
  interrupter.on('message', ({ interrupt }: InterruptMessage) => {
    Atomics.add(shared, ANSWERED, 1);
    cells.get(interrupt)?.abort();
  });
  interrupter.unref();

  const execute = async (id: string, params: Requests['execute']['params'], to: Session) => {
    const controller = new AbortController();
    cells.set(id, controller);
    const output = streamBatch((event) => {
      send({ kind: 'event', id, event });
    });
    try {
      const reply = await to.execute(params.code, output.add, {
        silent: params.silent ?? false,
        storeHistory: params.storeHistory ?? true,
        signal: controller.signal,
        userExpressions: params.userExpressions ?? {},
        ...(params.allowInput && {
          ask: (prompt, password) =>
            new Promise<string>((resolve, reject) => {
              asked.set(id, (value) => {
                if (value === undefined) reject(new LensError(`"${prompt}" was not answered`));
                else resolve(value);
              });
              send({ kind: 'ask', id, prompt, password });
            }),
        }),
      });
      output.flush();
      mark(id);
      return reply;
    } finally {
      cells.delete(id);
      asked.delete(id);
    }
  };

  const answers: { [Name in RequestName]: (id: string, params: Requests[Name]['params'], to: Session) => unknown } = {
    execute,
    complete: (_id, { code, offset }, to) => to.complete(code, offset),
    inspect: (_id, { code, offset }, to) => to.inspect(code, offset) ?? null,
    isComplete: (_id, { code }, to) => to.isComplete(code),
    models: async () => ({
      embedded: embeddedModels(),
      cached: (await cachedModels()).map(({ id, size, revisions }) => ({
        id,
        bytes: size,
        complete: revisions.some(({ missing }) => missing.length === 0),
      })),
    }),
    pullModel: async (id, { model }) => {
      const onProgress = (progress: Progress): void => {
        send({ kind: 'progress', id, progress });
      };
      const loaded = await loadModel(model, { onProgress });
      return loaded.id;
    },
  };

  const receive = async (message: ToKernel, to: Session): Promise<void> => {
    if (message.kind === 'input') {
      asked.get(message.id)?.(message.value);
      asked.delete(message.id);
      return;
    }
    if (message.kind === 'shutdown') {
      await end(0);
      return;
    }
    const { kind, id, params } = message;
    try {
      const answer = answers[kind] as (id: string, params: unknown, to: Session) => unknown;
      const value = (await answer(id, params, to)) as Requests[RequestName]['result'];
      send({ kind: 'result', id, value });
    } catch (error) {
      const { name, message: text } = error instanceof Error ? error : new Error(String(error));
      send({ kind: 'error', id, name, message: text });
    }
  };

  const end = async (code: number): Promise<never> => {
    // Engines end with this process in any case; asked to, they do so in order.
    await Promise.race([shutdown(), new Promise((resolve) => setTimeout(resolve, END_MS))]);
    session?.close();
    process.exit(code);
  };

  process.on('message', (message: ToKernel) => {
    if (session) void receive(message, session);
    else waiting.push(message);
  });
  process.on('disconnect', () => void end(0));
  // What an interrupt from the keyboard means is for our parent to say; it reaches the whole process group.
  process.on('SIGINT', () => undefined);
  try {
    session = await createSession({ cwd: process.cwd(), watch: true, undisturbed });
  } catch (error) {
    send({ kind: 'failed', error: describeError(error, 'start', new CellSources()) });
    await end(1);
    return;
  }
  const info = {
    version: packageVersion(),
    typescript: typescriptVersion(),
    node: process.versions.node,
    pid: process.pid,
  };
  send({ kind: 'ready', info });
  for (const message of waiting) void receive(message, session);
}

/** How long the end of the engines is waited for, in ms. */
const END_MS = 1000;

/** Writes where the cell `id` ended, past all streams of Node: what native code wrote comes before it. */
function mark(id: string): void {
  for (const fd of [1, 2]) {
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        writeSync(fd, MARKER + id + MARKER);
        break;
      } catch (error) {
        // A full pipe: its reader is busy. Any other error means that nobody reads.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') break;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }
}

function startInterrupter(shared: Int32Array): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const file = new URL(isSource ? './interrupter.ts' : './interrupter.js', import.meta.url);
  if (!isSource) return new Worker(file, { workerData: shared });
  // Threads do not inherit tsx from the process.
  const tsx = import.meta.resolve('tsx/esm/api');
  const start = `import(${JSON.stringify(tsx)}).then(({ register }) => (register(), import(${JSON.stringify(file.href)})))`;
  return new Worker(start, { eval: true, workerData: shared, execArgv: [] });
}
