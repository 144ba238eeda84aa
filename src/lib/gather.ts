import type { Socket } from 'node:net';

/**
 * Gathers what one callback writes to a socket into one system call. The client writes each message by itself, which
 * took a third of a busy dispatcher's time; nothing waits longer than until the callback returns.
 */
export function gatherWrites(socket: Pick<Socket, 'write' | 'cork' | 'uncork'>): void {
  const write = socket.write;
  let gathering = false;
  const flush = () => {
    gathering = false;
    socket.uncork();
  };
  socket.write = function gathered(this: Socket, ...args: unknown[]): boolean {
    if (!gathering) {
      gathering = true;
      socket.cork();
      process.nextTick(flush);
    }
    return Reflect.apply(write, socket, args) as boolean;
  } as Socket['write'];
}
