import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { MegaError } from '../lib/errors.ts';

/** Asks on the terminal and shows nothing of the answer. Error: `interrupted`, at Ctrl-C and at the end of input. */
export function askSecret(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  process.stderr.write(`${question}: `);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.once('line', resolve);
  lines.once('SIGINT', () => lines.close());
  lines.once('close', () => reject(new MegaError('interrupted', 'nothing was entered')));
  return promise.finally(() => {
    lines.close();
    process.stderr.write('\n');
  });
}
