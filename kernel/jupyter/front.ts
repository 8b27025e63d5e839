/**
 * A kernel as Jupyter sees it. It answers on the sockets and has a kernel process execute the cells, so that whatever a cell
 * does, the heartbeat beats, interrupts arrive and output gets out.
 */
import { packageVersion } from '../model/embedded.ts';
import { CellMessages, type IoMessage } from './cell-messages.ts';
import type { CellEvent } from './events.ts';
import { History, type HistoryRequest } from './history.ts';
import type { ExecuteReply } from './ipc-protocol.ts';
import { KernelGone, type KernelProcess } from './kernel-process.ts';
import { LANGUAGE_INFO, typescriptVersion } from './language-info.ts';
import type { Channel, Sockets } from './sockets.ts';
import { codePoints, utf16Offset } from './unicode.ts';
import { PROTOCOL_VERSION, Wire, type Content, type Message } from './wire.ts';

interface Received {
  readonly channel: Channel;
  readonly message: Message;
}

/** What answers a request: the content of its reply; undefined for a message that has none. */
type Answer = (received: Received) => Promise<Content | undefined> | Content | undefined;

/** Where late output of a cell goes. */
interface Cell {
  readonly messages: CellMessages;
  readonly parent: Message;
  over: boolean;
}

export interface FrontOptions {
  readonly sockets: Sockets;
  readonly wire: Wire;
  readonly kernel: KernelProcess;
  /** All is said; the process may end. */
  readonly onEnd: (code: number) => void;
}

export class JupyterFront {
  readonly #sockets: Sockets;
  readonly #wire: Wire;
  readonly #kernel: KernelProcess;
  readonly #onEnd: (code: number) => void;
  readonly #history = new History();
  /** Cells that wait or run, in order. */
  readonly #queue: Received[] = [];
  /** Who waits for the user's input. */
  #answerInput: ((value: string) => void) | undefined;
  #executionCount = 0;
  #running: Message | undefined;
  #ending = false;

  constructor({ sockets, wire, kernel, onEnd }: FrontOptions) {
    this.#sockets = sockets;
    this.#wire = wire;
    this.#kernel = kernel;
    this.#onEnd = onEnd;
  }

  start(): void {
    this.#publish('status', { execution_state: 'starting' }, undefined);
    this.#sockets.listen(
      (channel, frames) => {
        this.#receive(channel, frames);
      },
      (topic) => {
        const content = { subscription: topic.toString('utf8') };
        this.#sockets.send('iopub', this.#wire.encode('iopub_welcome', content, undefined, [topic]));
      },
    );
    this.#kernel.ready.catch((error: unknown) => {
      if (!this.#ending) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    });
    void this.#kernel.exited.then(({ expected }) => {
      // Jupyter starts a kernel that has ended again, and says so.
      if (!expected) setTimeout(() => void this.#end(1), AFTER_DEATH);
    });
  }

  /** Stops the running cell. */
  interrupt(): void {
    this.#kernel.interrupt();
  }

  async shutdown(): Promise<void> {
    this.#ending = true;
    await this.#kernel.shutdown();
    await this.#end(0);
  }

  async #end(code: number): Promise<void> {
    this.#ending = true;
    await this.#sockets.flushed();
    this.#sockets.close();
    this.#onEnd(code);
  }

  #receive(channel: Channel, frames: readonly Buffer[]): void {
    let message: Message;
    try {
      message = this.#wire.decode(frames);
    } catch (error) {
      process.stderr.write(`dropped on ${channel}: ${error instanceof Error ? error.message : String(error)}\n`);
      return;
    }
    const received = { channel, message };
    const type = message.header.msg_type;
    if (channel === 'stdin') {
      if (type === 'input_reply') this.#answerInput?.(String(message.content.value));
      return;
    }
    if (type === 'execute_request') {
      this.#queue.push(received);
      if (this.#queue.length === 1) void this.#executeAll();
      return;
    }
    void this.#answer(received);
  }

  async #answer(received: Received): Promise<void> {
    const { message } = received;
    const answer = this.#answers[message.header.msg_type];
    this.#status('busy', message);
    try {
      const content = await answer?.(received);
      if (content) this.#reply(received, { status: 'ok', ...content });
    } catch (error) {
      const { name: ename, message: evalue } = error instanceof Error ? error : new Error(String(error));
      this.#reply(received, { status: 'error', ename, evalue, traceback: [] });
    }
    this.#status('idle', message);
    // A front end shows the latest status, and the cell is still at work.
    if (this.#running) this.#status('busy', this.#running);
    if (this.#ending) await this.shutdown();
  }

  readonly #answers: Readonly<Record<string, Answer>> = {
    kernel_info_request: () => kernelInfo(),
    complete_request: async ({ message: { content } }) => {
      const code = String(content.code);
      const offset = utf16Offset(code, Number(content.cursor_pos ?? code.length));
      const { start, end, candidates } = await this.#kernel.request('complete', { code, offset });
      const [cursor_start, cursor_end] = [codePoints(code, start), codePoints(code, end)];
      return {
        matches: candidates.map(({ text }) => text),
        cursor_start,
        cursor_end,
        metadata: {
          _jupyter_types_experimental: candidates.map(({ text, kind }) => ({
            text,
            type: kind,
            start: cursor_start,
            end: cursor_end,
          })),
        },
      };
    },
    inspect_request: async ({ message: { content } }) => {
      const code = String(content.code);
      const offset = utf16Offset(code, Number(content.cursor_pos ?? code.length));
      const data = await this.#describe(code, offset);
      return { found: data !== undefined, data: data ?? {}, metadata: {} };
    },
    is_complete_request: async ({ message: { content } }) => {
      const { status, indent } = await this.#kernel.request('isComplete', { code: String(content.code) });
      return status === 'incomplete' ? { status, indent } : { status };
    },
    history_request: ({ message: { content } }) => ({ history: this.#history.find(content as HistoryRequest) }),
    comm_info_request: () => ({ comms: {} }),
    // Nothing here has a use for comms: who opens one learns that it is closed, as the protocol has it.
    comm_open: ({ message }) => {
      this.#publish('comm_close', { comm_id: message.content.comm_id, data: {} }, message);
      return undefined;
    },
    interrupt_request: () => {
      this.interrupt();
      return {};
    },
    shutdown_request: ({ message: { content } }) => {
      this.#ending = true;
      return { restart: content.restart === true };
    },
  };

  async #executeAll(): Promise<void> {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const reply = await this.#execute(next);
      this.#queue.shift();
      const stops = next.message.content.stop_on_error !== false;
      // What was sent before the error was meant to follow it; what comes later knows of it.
      if (reply?.status === 'error' && stops) for (const waiting of this.#queue.splice(0)) this.#abort(waiting);
    }
  }

  #abort(received: Received): void {
    this.#status('busy', received.message);
    this.#reply(received, { status: 'aborted', execution_count: this.#executionCount });
    this.#status('idle', received.message);
  }

  async #execute(received: Received): Promise<ExecuteReply | undefined> {
    const { message } = received;
    const { content } = message;
    const code = String(content.code);
    const silent = content.silent === true;
    const storeHistory = !silent && content.store_history !== false;
    const cell: Cell = { messages: new CellMessages(), parent: message, over: false };
    this.#running = message;
    this.#status('busy', message);
    const count = this.#executionCount + 1;
    if (storeHistory) {
      this.#executionCount = count;
      this.#history.add(count, code);
    }
    if (!silent) this.#publish('execute_input', { code, execution_count: count }, message);
    let reply: ExecuteReply | undefined;
    try {
      const asked = QUESTION.exec(code)?.[1];
      if (asked !== undefined && !silent) {
        this.#reply(received, await this.#page(asked));
        return undefined;
      }
      reply = await this.#kernel.execute(
        {
          code,
          silent,
          storeHistory,
          allowInput: content.allow_stdin === true,
          userExpressions: (content.user_expressions ?? {}) as Record<string, string>,
        },
        {
          onEvent: (event) => {
            this.#show(cell, event);
          },
          onAsk: (prompt, password) => this.#ask(received, prompt, password),
        },
      );
      this.#finish(cell);
      this.#reply(received, replyContent(reply));
    } catch (error) {
      this.#finish(cell);
      this.#reply(received, this.#dead(cell, error));
    } finally {
      this.#answerInput = undefined;
      this.#running = undefined;
      this.#status('idle', message);
    }
    return reply;
  }

  /** `name?`, which no TypeScript is, shows the name's documentation in the front end's pager. */
  async #page(name: string): Promise<Content> {
    const found = await this.#describe(name, name.length);
    const data = found ?? { 'text/plain': `${name} is not known.` };
    const payload = [{ source: 'page', data, start: 0 }];
    return { status: 'ok', execution_count: this.#executionCount, user_expressions: {}, payload };
  }

  async #describe(code: string, offset: number): Promise<Record<string, string> | undefined> {
    const found = await this.#kernel.request('inspect', { code, offset });
    if (!found) return undefined;
    const { signature, documentation } = found;
    return {
      'text/plain': [signature, documentation].filter((part) => part !== '').join('\n\n'),
      'text/markdown': `\`\`\`typescript\n${signature}\n\`\`\`\n\n${documentation}`,
    };
  }

  #show(cell: Cell, event: CellEvent): void {
    if (event.type === 'execute_result') {
      this.#history.setOutput(event.executionCount, String(event.data['text/plain'] ?? ''));
    }
    this.#publishAll(cell.messages.take(event), cell.parent);
    // Of a call that the cell did not wait for: nobody takes its progress line away later.
    if (cell.over) this.#publishAll(cell.messages.end(), cell.parent);
  }

  #finish(cell: Cell): void {
    cell.over = true;
    this.#publishAll(cell.messages.end(), cell.parent);
  }

  /** The kernel process ended under a cell: says so in the cell, which is what stays in the notebook. */
  #dead(cell: Cell, error: unknown): Content {
    const why = error instanceof KernelGone ? error.message : String(error);
    const ename = 'KernelGone';
    const evalue = `${why}. All variables are lost; Jupyter starts the kernel again.`;
    const content = { ename, evalue, traceback: [`${ename}: ${evalue}`] };
    this.#publish('error', content, cell.parent);
    return { status: 'error', execution_count: this.#executionCount, ...content };
  }

  #ask({ message }: Received, prompt: string, password: boolean): Promise<string> {
    return new Promise((resolve) => {
      this.#answerInput = resolve;
      const content = { prompt, password };
      this.#sockets.send('stdin', this.#wire.encode('input_request', content, message, message.identities));
    });
  }

  #reply({ channel, message }: Received, content: Content): void {
    const type = message.header.msg_type.replace(/_request$/, '_reply');
    this.#sockets.send(channel, this.#wire.encode(type, content, message, message.identities));
  }

  #status(execution_state: 'busy' | 'idle', parent: Message): void {
    this.#publish('status', { execution_state }, parent);
  }

  #publishAll(messages: readonly IoMessage[], parent: Message): void {
    for (const { type, content } of messages) this.#publish(type, content, parent);
  }

  #publish(type: string, content: Content, parent: Message | undefined): void {
    this.#sockets.send('iopub', this.#wire.encode(type, content, parent, [`kernel.${type}`]));
  }
}

const QUESTION = /^\s*([\w$.]+)\?\s*$/;

/** Between the end of the kernel process and ours, in ms: the cell's error has to get out. */
const AFTER_DEATH = 100;

function kernelInfo(): Content {
  return {
    protocol_version: PROTOCOL_VERSION,
    implementation: 'lvlm-lens',
    implementation_version: packageVersion(),
    banner: `LVLM Lens ${packageVersion()}, TypeScript ${typescriptVersion()}, Node ${process.versions.node}`,
    language_info: { ...LANGUAGE_INFO, version: typescriptVersion(), codemirror_mode: 'typescript' },
    help_links: [{ text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' }],
    supported_features: [],
    debugger: false,
  };
}

function replyContent(reply: ExecuteReply): Content {
  const execution_count = reply.executionCount;
  if (reply.status === 'ok') {
    return { status: 'ok', execution_count, user_expressions: reply.userExpressions, payload: [] };
  }
  const { ename, evalue, traceback } = reply;
  return { status: 'error', execution_count, ename, evalue, traceback, user_expressions: {}, payload: [] };
}
