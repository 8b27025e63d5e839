import { Engine } from './engine/client.ts';

let engine: Engine | undefined;

/** The engine that the API's calls share; its process starts with the first call. */
export function defaultEngine(): Engine {
  engine ??= new Engine();
  return engine;
}

/** Ends the engine process and frees all models. Running calls reject with `AbortError`; the next call starts it again. */
export async function shutdown(): Promise<void> {
  await engine?.close();
}
