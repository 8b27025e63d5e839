/** How long a kernel takes to be there and to answer, as Jupyter sees it, and how much memory it needs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { LensError } from '../kernel/errors.ts';
import { packageFolder } from '../kernel/model/embedded.ts';
import { JupyterClient, type Answer } from './jupyter-client.ts';

const execute = promisify(execFile);

/** Round trips of which the median counts. */
const TRIPS = 30;

/** What there is to reach, in ms, on a quiet machine. */
const LIMITS = { ready: 1500, warm: 30, completion: 150 } as const;

/** @param args `--json` prints figures for machines */
export async function run(args: readonly string[]): Promise<void> {
  const dist = path.join(packageFolder(), 'dist');
  if (!existsSync(path.join(dist, 'jupyter.js'))) throw new LensError('dist/ is missing', 'Run "npm run build".');
  const begun = performance.now();
  const client = await JupyterClient.start([process.execPath, path.join(dist, 'jupyter.js')], tmpdir());
  const figures = await measured(client, begun).finally(() => client.close());
  if (args.includes('--json')) {
    console.log(
      JSON.stringify(figures, (_key, value: unknown) => (typeof value === 'number' ? rounded(value) : value), 2),
    );
    return;
  }
  const line = (what: string, ms: number, limit?: number): void => {
    console.log(`${what.padEnd(34)} ${rounded(ms)} ms${limit === undefined ? '' : ` (to reach: ${limit} ms)`}`);
  };
  line('kernel ready', figures.readyMs, LIMITS.ready);
  line('first 1 + 1', figures.firstMs);
  line('first result after the start', figures.executableMs);
  line(`1 + 1, median of ${TRIPS}`, figures.warmMs, LIMITS.warm);
  line('first completion', figures.firstCompletionMs, LIMITS.completion);
  line(`completion, median of ${TRIPS}`, figures.completionMs, LIMITS.completion);
  line('first explain, cold', figures.explainColdMs);
  line('explain, warm', figures.explainWarmMs);
  for (const [name, mb] of Object.entries(figures.memoryMb))
    console.log(`${`memory of the ${name}`.padEnd(34)} ${rounded(mb)} MB`);
}

/**
 * @param begun when the kernel was started, in the time of `performance`
 * @throws what the kernel says where it cannot start or a cell fails
 */
async function measured(client: JupyterClient, begun: number) {
  const image = path.join(packageFolder(), 'notebooks/images/banana.png');
  await client.request('kernel_info_request', {});
  const readyMs = performance.now() - begun;
  const [firstMs, first] = await timed(() => client.execute('1 + 1'));
  if (first.reply.content.status !== 'ok') throw new Error(String(first.reply.content.evalue));
  const executableMs = performance.now() - begun;
  const warmMs = await median(() => client.execute('1 + 1'));
  const complete = (): Promise<Answer> =>
    client.request('complete_request', { code: 'explain({ image: "a.png", met', cursor_pos: 29 });
  const [firstCompletionMs, { reply }] = await timed(complete);
  if (!(reply.content.matches as string[]).includes('method')) throw new Error('the completion is wrong');
  const completionMs = await median(complete);
  const explain = `await explain({ image: ${JSON.stringify(image)}, question: 'What is there?' })`;
  const [explainColdMs, cold] = await timed(() => client.execute(explain));
  if (cold.reply.content.status !== 'ok') throw new Error(String(cold.reply.content.evalue));
  const [explainWarmMs] = await timed(() => client.execute(explain));
  return {
    readyMs,
    executableMs,
    firstMs,
    warmMs,
    firstCompletionMs,
    completionMs,
    explainColdMs,
    explainWarmMs,
    memoryMb: await residentMb(client.process.pid!),
    limits: LIMITS,
  };
}

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, value: T]> {
  const begun = performance.now();
  const value = await work();
  return [performance.now() - begun, value];
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let trip = 0; trip < TRIPS; trip++) times.push((await timed(work))[0]);
  return times.sort((a, b) => a - b)[TRIPS >> 1]!;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Processes by the file that they run. */
const PROCESSES = { 'jupyter.js': 'front', 'kernel.js': 'kernel', 'engine.js': 'engine' } as const;

/** Resident memory of the front and the processes below it; empty where `ps` is missing. */
async function residentMb(front: number): Promise<Record<string, number>> {
  const listed = await execute('ps', ['-eo', 'pid=,ppid=,rss=,args=']).catch(() => ({ stdout: '' }));
  const rows = listed.stdout.split('\n').flatMap((line) => {
    const [, pid, parent, rss, args] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return args === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), rss: Number(rss), args }];
  });
  const family = new Set([front]);
  for (const row of rows) if (family.has(row.parent)) family.add(row.pid);
  const memory: Record<string, number> = {};
  for (const { pid, rss, args } of rows) {
    const name = Object.entries(PROCESSES).find(([file]) => args.includes(file))?.[1];
    if (family.has(pid) && name !== undefined) memory[name] = rss / 1024;
  }
  return memory;
}
