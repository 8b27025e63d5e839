/** The five sockets of a kernel. */
import { Reply, Router, XPublisher, type MessageLike } from 'zeromq';
import { address, type Connection } from './connection-file.ts';

export type Channel = 'shell' | 'control' | 'stdin';

export interface Sockets {
  /** Calls `receive` with the frames of every message that comes in on the three channels, each in its order. */
  listen(receive: (channel: Channel, frames: Buffer[]) => void, subscribed: (topic: Buffer) => void): void;
  /** Sends in order; nothing is dropped for being slow to be read. */
  send(channel: Channel | 'iopub', frames: MessageLike[]): void;
  /** Resolves when all is sent that was given so far. */
  flushed(): Promise<void>;
  close(): void;
}

/** What is not sent when the process ends is waited for so long, in ms. */
const LINGER = 500;

/** @throws Error where a port is taken */
export async function bindSockets(connection: Connection): Promise<Sockets> {
  // Publishers drop what exceeds their mark: a cell may well print faster than a browser reads.
  const unlimited = { linger: LINGER, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
  const routers = {
    shell: new Router({ ...unlimited, handover: true }),
    control: new Router({ ...unlimited, handover: true }),
    stdin: new Router({ ...unlimited, handover: true }),
  };
  const iopub = new XPublisher({ ...unlimited, verbosity: 'allSubs' });
  const heartbeat = new Reply({ linger: 0 });
  await Promise.all([
    routers.shell.bind(address(connection, connection.shell_port)),
    routers.control.bind(address(connection, connection.control_port)),
    routers.stdin.bind(address(connection, connection.stdin_port)),
    iopub.bind(address(connection, connection.iopub_port)),
    heartbeat.bind(address(connection, connection.hb_port)),
  ]);
  const senders = {
    shell: inOrder(routers.shell),
    control: inOrder(routers.control),
    stdin: inOrder(routers.stdin),
    iopub: inOrder(iopub),
  };
  // A closed socket ends its loop with an error.
  const untilClosed = (loop: Promise<void>): void => void loop.catch(() => undefined);
  untilClosed(
    (async () => {
      for await (const beat of heartbeat) await heartbeat.send(beat);
    })(),
  );
  return {
    listen(receive, subscribed) {
      for (const channel of ['shell', 'control', 'stdin'] as const) {
        untilClosed(
          (async () => {
            for await (const frames of routers[channel]) receive(channel, frames);
          })(),
        );
      }
      untilClosed(
        (async () => {
          for await (const [frame] of iopub) if (frame?.[0] === 1) subscribed(frame.subarray(1));
        })(),
      );
    },
    send(channel, frames) {
      senders[channel].send(frames);
    },
    async flushed() {
      await Promise.all(Object.values(senders).map((sender) => sender.flushed()));
    },
    close() {
      for (const socket of [...Object.values(routers), iopub, heartbeat]) socket.close();
    },
  };
}

/** ZeroMQ takes one `send` of a socket at a time. */
function inOrder(socket: { send(frames: MessageLike[]): Promise<void> }): {
  send(frames: MessageLike[]): void;
  flushed(): Promise<void>;
} {
  const waiting: MessageLike[][] = [];
  let working: Promise<void> | undefined;
  const work = async (): Promise<void> => {
    for (let frames = waiting.shift(); frames; frames = waiting.shift()) {
      // Whoever went away gets no answer.
      await socket.send(frames).catch(() => undefined);
    }
    working = undefined;
  };
  return {
    send(frames) {
      waiting.push(frames);
      working ??= work();
    },
    flushed: () => working ?? Promise.resolve(),
  };
}
