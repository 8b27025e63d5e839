/** A Jupyter client for one kernel: starts it as Jupyter does, over ZeroMQ, without Python. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Dealer, Subscriber } from 'zeromq';
import { Wire, type Content, type Message } from '../kernel/jupyter/wire.ts';

export interface Answer {
  readonly reply: Message;
  /** What was published for the request, up to 'idle'. */
  readonly published: readonly Message[];
}

/** Characters of standard error that the news of a kernel's end quotes. */
const LAST_WORDS = 2000;

export class JupyterClient {
  readonly process: ChildProcess;
  readonly key: string;
  readonly #folder: string;
  readonly #wire: Wire;
  readonly #shell: Dealer;
  readonly #iopub: Subscriber;
  readonly #published = new Map<string, Message[]>();
  readonly #idle = new Map<string, () => void>();
  readonly #replies = new Map<string, (message: Message) => void>();

  /** Who asks before the subscription stands misses what is published. */
  readonly #welcomed: Promise<void>;
  #isWelcome!: () => void;
  readonly #ended: Promise<never>;

  private constructor(process: ChildProcess, key: string, folder: string, shell: Dealer, iopub: Subscriber) {
    this.process = process;
    this.key = key;
    this.#folder = folder;
    this.#wire = new Wire(key, 'hmac-sha256');
    this.#shell = shell;
    this.#iopub = iopub;
    this.#welcomed = new Promise((resolve) => {
      this.#isWelcome = resolve;
    });
    let said = '';
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-LAST_WORDS);
    });
    this.#ended = new Promise((_resolve, reject) => {
      // Not 'exit': what it has said last is read by then.
      process.once('close', (code, signal) => {
        reject(new Error(`the kernel ended (${signal ?? code})${said.trim() && `: ${said.trim()}`}`));
      });
    });
    this.#ended.catch(() => undefined);
    void this.#listen();
  }

  /**
   * Starts a kernel.
   * @param argv as in kernel.json, without the connection file
   */
  static async start(argv: readonly string[], cwd: string): Promise<JupyterClient> {
    const folder = await mkdtemp(path.join(tmpdir(), 'lvlm-lens-connection-'));
    const file = path.join(folder, 'connection.json');
    const key = randomUUID();
    const [shell_port, iopub_port, stdin_port, control_port, hb_port] = await freePorts(5);
    const ports = { shell_port, iopub_port, stdin_port, control_port, hb_port };
    const connection = { transport: 'tcp', ip: '127.0.0.1', key, signature_scheme: 'hmac-sha256', ...ports };
    await writeFile(file, JSON.stringify(connection), { mode: 0o600 });
    const shell = new Dealer({ linger: 0, routingId: randomUUID() });
    const iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 });
    const child = spawn(argv[0]!, [...argv.slice(1), file], { cwd, stdio: ['ignore', 'inherit', 'pipe'] });
    child.stderr.pipe(process.stderr, { end: false });
    shell.connect(`tcp://127.0.0.1:${shell_port}`);
    iopub.connect(`tcp://127.0.0.1:${iopub_port}`);
    iopub.subscribe();
    return new JupyterClient(child, key, folder, shell, iopub);
  }

  /**
   * Sends a request on the shell channel; resolves when it is answered and the kernel is idle again.
   * @throws what the kernel wrote last, where it ends first
   */
  async request(type: string, content: Content): Promise<Answer> {
    // A kernel that cannot start may have ended before it heard of the subscription.
    await Promise.race([this.#welcomed, this.#ended]);
    const frames = this.#wire.encode(type, content, undefined, []);
    // After the delimiter and the signature.
    const { msg_id } = JSON.parse(String(frames[2])) as { msg_id: string };
    const replied = new Promise<Message>((resolve) => this.#replies.set(msg_id, resolve));
    const idle = new Promise<void>((resolve) => this.#idle.set(msg_id, resolve));
    await this.#shell.send(frames);
    const reply = await Promise.race([replied, this.#ended]);
    await Promise.race([idle, this.#ended]);
    const published = this.#published.get(msg_id) ?? [];
    this.#published.delete(msg_id);
    return { reply, published };
  }

  execute(code: string): Promise<Answer> {
    return this.request('execute_request', { code, silent: false, store_history: true, allow_stdin: false });
  }

  /** Sends frames as they are. */
  async send(frames: readonly (string | Buffer)[]): Promise<void> {
    await this.#shell.send([...frames]);
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve));
      await this.#shell.send(this.#wire.encode('shutdown_request', { restart: false }, undefined, []));
      await ended;
    }
    this.#shell.close();
    this.#iopub.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #listen(): Promise<void> {
    const replies = (async () => {
      for await (const frames of this.#shell) {
        const message = this.#wire.decode(frames);
        this.#replies.get(message.parent.msg_id ?? '')?.(message);
      }
    })();
    const published = (async () => {
      for await (const frames of this.#iopub) {
        const message = this.#wire.decode(frames);
        const id = message.parent.msg_id ?? '';
        if (message.header.msg_type === 'iopub_welcome') this.#isWelcome();
        if (message.content.execution_state === 'idle') this.#idle.get(id)?.();
        else this.#published.set(id, [...(this.#published.get(id) ?? []), message]);
      }
    })();
    // Closed sockets end the loops.
    await Promise.allSettled([replies, published]);
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
