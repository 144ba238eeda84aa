import { readFile } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';

export type StartFailure = 'PORT_TAKEN' | 'ENDED' | 'NOT_READY_IN_TIME';

/** A server did not start; the message ends with the last lines of its log. */
export class ServerStartError extends Error {
  readonly code: StartFailure;

  constructor(code: StartFailure, message: string) {
    super(message);
    this.name = 'ServerStartError';
    this.code = code;
  }
}

const tailLines = 40;
const portTaken = /eaddrinuse|address already in use|port_already_used|already a epmd running/i;

export async function startFailure(
  what: string,
  happened: string,
  logFile: string,
): Promise<ServerStartError> {
  const log = stripVTControlCharacters(await readFile(logFile, 'utf8').catch(() => '(no log)'));
  const code = portTaken.test(log) ? 'PORT_TAKEN' : happened === 'ended' ? 'ENDED' : 'NOT_READY_IN_TIME';
  const tail = log.trimEnd().split('\n').slice(-tailLines).join('\n  ');
  return new ServerStartError(code, `${what} ${happened}; the end of its log ${logFile}:\n  ${tail}`);
}

const maxTries = 3;

/** Between the choice of a port and its use another program may take it: then everything is tried anew. */
export async function retryWhenPortTaken<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      const again = error instanceof ServerStartError && error.code === 'PORT_TAKEN' && tries < maxTries;
      if (!again) throw error;
    }
  }
}
