import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTicks } from '../dev/servers/ticks.ts';
import { type Servers, startMariaDb, startRabbitMq } from '../dev/servers.ts';
import type { Stage } from './suite.ts';

const root = join(import.meta.dirname, '..');
const tunedConfig = join(root, 'deploy/rabbitmq.conf');

export type StageOptions = {
  /** Each suite gets a folder of its own inside. */
  parent: string;
  name: string;
  quick: boolean;
  log(line: string): void;
  signal: AbortSignal;
};

/** A suite's own place. Disposing of it ends its servers and removes its files. */
export function openStage({ parent, name, quick, log, signal }: StageOptions): Stage & AsyncDisposable {
  mkdirSync(parent, { recursive: true });
  sweep(parent);
  const folder = mkdtempSync(join(parent, `${name}-${process.pid}-${startTicks(process.pid)}-`));
  const opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return {
    quick,
    folder,
    log,
    signal,
    servers: async (options) => {
      signal.throwIfAborted();
      const servers = opened.use(await startPrivate({ folder, log, ...options }));
      signal.throwIfAborted();
      return servers;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A suite that was killed has lost its processes to their watchdogs; its files are left to us. */
function sweep(parent: string): void {
  for (const entry of readdirSync(parent)) {
    const [, pid, ticks] = /^\w+-(\d+)-(\d+)-\w+$/.exec(entry) ?? [];
    if (pid === undefined || startTicks(Number(pid)) === ticks) continue;
    rmSync(join(parent, entry), { recursive: true, force: true, maxRetries: 5 });
  }
}

type PrivateOptions = {
  folder: string;
  log(line: string): void;
  tuned: boolean;
  database?: string[];
};

/** Never a user's own servers: their processes are looked into, and some suites kill them. */
async function startPrivate({ folder, log, tuned, database }: PrivateOptions): Promise<Servers> {
  await using starting = new AsyncDisposableStack();
  const config = tuned && existsSync(tunedConfig) ? { config: tunedConfig } : {};
  const both = [
    startRabbitMq({ folder, log, ...config }),
    startMariaDb({ folder, log, arguments: database }),
  ] as const;
  for (const one of await Promise.allSettled(both)) {
    if (one.status === 'fulfilled') starting.use(one.value);
  }
  const [rabbitmq, mariadb] = await Promise.all(both);
  const started = starting.move();
  return { rabbitmq, mariadb, external: false, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
