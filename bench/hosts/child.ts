import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/*
 * A process of a benchmark's own that is asked over its pipe: hosts, bare peers. It ends when whoever started it
 * has ended, however that was.
 */
type Question = { id: number; name: string; args: unknown };
type Reply = { id: number; value?: unknown; error?: string };
type Functions = Record<string, (args: never) => unknown>;

const END_MS = 10_000;

/** In the child: answers what the parent asks. */
export function serve(functions: Functions): void {
  process.on('message', async ({ id, name, args }: Question) => {
    try {
      process.send?.({ id, value: await functions[name]!(args as never) } satisfies Reply);
    } catch (error) {
      process.send?.({ id, error: (error as Error).stack ?? String(error) } satisfies Reply);
    }
  });
  process.on('disconnect', () => process.exit(0));
}

/** In the parent. Disposing of it ends the process. */
export class Child implements AsyncDisposable {
  #process: ChildProcess;
  #asked = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #last = 0;
  #ended: Error | undefined;

  constructor(file: string) {
    this.#process = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (reply: Reply) => this.#answered(reply));
    this.#process.on('exit', (code, signal) => {
      const error = new Error(`${file} ended with ${signal ?? code}`);
      this.#ended = error;
      for (const { reject } of this.#asked.values()) reject(error);
      this.#asked.clear();
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Rejects with what the child's function threw, or when the child has ended. */
  ask<T = void>(name: string, args: unknown = {}): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const id = ++this.#last;
    this.#asked.set(id, { resolve, reject });
    this.#process.send({ id, name, args } satisfies Question, (error) => error && reject(error));
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), END_MS);
    if (this.#process.connected) this.#process.disconnect();
    await exited;
    clearTimeout(timer);
  }

  #answered({ id, value, error }: Reply): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(value as never);
    else asked?.reject(new Error(error));
  }
}
