import { execFileSync } from 'node:child_process';
import { chownSync, closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';

/**
 * A pipe for what a script writes. Those that Node.js makes for its children are sockets, which a script cannot open
 * again as /dev/stderr; and of this one the owner is whoever runs the script, so that it may.
 */
export class Pipe implements Disposable {
  /** For the script: its standard output and its standard error, so that their order is kept. */
  readonly writer: number;
  #reader: number;
  #socket: Socket | undefined;

  constructor(path: string, user: { uid: number; gid: number } | undefined) {
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'pipe' });
    if (user) chownSync(path, user.uid, user.gid);
    this.#reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
    unlinkSync(path);
  }

  /** To be called once the script has its end of it; resolves when nobody can write any more. */
  read(take: (bytes: Buffer) => void): Promise<void> {
    closeSync(this.writer);
    this.#socket = new Socket({ fd: this.#reader, readable: true, writable: false });
    this.#socket.on('data', take);
    this.#socket.on('error', () => undefined); // it closes after that, too
    return new Promise((closed) => this.#socket!.once('close', () => closed()));
  }

  [Symbol.dispose](): void {
    if (this.#socket) this.#socket.destroy();
    else for (const end of [this.#reader, this.writer]) closeSync(end);
  }
}
