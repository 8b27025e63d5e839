import type { Progress } from '../attribution/scorer.ts';
import { AbortError, LensError } from '../errors.ts';
import { LoadedModels } from './model-cache.ts';
import { plainError } from './protocol.ts';
import type { FromEngine, ToEngine } from './protocol.ts';
import type { Task } from './task.ts';
import { TASKS } from './task-table.ts';

/**
 * The engine process: owns ONNX Runtime and the loaded models, and works off requests one after the other. Started by
 * `client.ts`; ends when the client's process does.
 */

const models = new LoadedModels();
const running = new Map<number, AbortController>();
let last: Promise<void> = Promise.resolve();

const send = (message: FromEngine) => process.send?.(message, undefined, undefined, () => undefined);

async function answer(
  { id, task, params }: Extract<ToEngine, { kind: 'request' }>,
  signal: AbortSignal,
): Promise<void> {
  const onProgress = (progress: Progress) => send({ kind: 'progress', id, progress });
  try {
    const known = Object.hasOwn(TASKS, task)
      ? (TASKS[task as keyof typeof TASKS] as Task<unknown, unknown>)
      : undefined;
    if (known === undefined) {
      throw new LensError(`the engine has no task '${task}'`, `It has: ${Object.keys(TASKS).join(', ')}`);
    }
    const parsed = known.params.safeParse(params);
    if (!parsed.success) {
      const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'parameters'}: ${message}`);
      throw new LensError(`the request '${task}' is not as expected: ${problems.join('; ')}`);
    }
    if (signal.aborted) throw new AbortError();
    send({ kind: 'result', id, value: await known.run({ params: parsed.data, signal, onProgress, models }) });
  } catch (error) {
    send({ kind: 'error', id, error: plainError(error) });
  }
}

process.on('message', (message: ToEngine) => {
  if (message.kind === 'cancel') {
    running.get(message.id)?.abort(new AbortError());
    return;
  }
  const controller = new AbortController();
  running.set(message.id, controller);
  last = last.then(() => answer(message, controller.signal)).finally(() => running.delete(message.id));
});

process.on('disconnect', () => process.exit());
// An interrupt from the keyboard goes to the whole process group; the client decides what it means for us.
process.on('SIGINT', () => undefined);
