import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFailure } from './failure.ts';

/*
 * INVARIANTS
 * - A server never outlives us, kill -9 included: a watchdog shell starts it and holds the read end of a pipe
 *   whose write end only we have. End of file means that we are gone, and the server is killed with its group.
 * - A Ctrl-C never reaches a server: the watchdog leads a session of its own. We stop servers, in our order.
 * - A watchdog ends with its server, and with its exit code.
 */
const watchdog = `
exec 3<&0 </dev/null
setsid "$@" 3<&- >&2 &
server=$!
echo "$server"
exec >&2
( read -r _ <&3; kill -KILL "-$server" ) 2>/dev/null &
guard=$!
exec 3<&-
wait "$server"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
`;

export type ProcessOptions = {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  logFile: string;
};

export type ServerProcess = {
  pid: number;
  /** Resolves to the exit code. */
  exited: Promise<number>;
  hasEnded(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Kills it and all that it has started, at once. */
  killAll(): Promise<void>;
  /** Resolves when it has ended; after `killAfterMs` it is killed. */
  end(signal: NodeJS.Signals, killAfterMs?: number): Promise<void>;
};

export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  await using log = await open(options.logFile, 'a', 0o600);
  const child = spawn('/bin/sh', ['-c', watchdog, 'sh', options.command, ...options.args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['pipe', 'pipe', log.fd],
  });
  const exited = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : 1));
  exited.catch(() => {});
  return handleOf(await readPid(child), child, exited);
}

async function readPid(child: ChildProcess): Promise<number> {
  await once(child, 'spawn');
  for await (const line of createInterface({ input: child.stdout! })) return Number(line);
  throw new Error('the watchdog ended before it named its server');
}

function handleOf(pid: number, child: ChildProcess, exited: Promise<number>): ServerProcess {
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const signal = (name: NodeJS.Signals) => {
    if (hasEnded()) return;
    killIfThere(pid, name);
  };
  return {
    pid,
    exited,
    hasEnded,
    signal,
    async killAll() {
      killIfThere(-pid);
      await exited;
    },
    async end(name, killAfterMs = 30_000) {
      signal(name);
      const timer = setTimeout(() => signal('SIGKILL'), killAfterMs);
      await exited.finally(() => clearTimeout(timer));
    },
  };
}

function killIfThere(pid: number, name: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

export type ReadyOptions = {
  what: string;
  processes: ServerProcess[];
  logFile: string;
  deadlineMs?: number;
  /** Bounded in time by itself. */
  isReady(): Promise<boolean>;
};

const pollMs = 50;

/** Waits for `isReady`; fails as soon as a process ends, and at the deadline, with the end of the log. */
export async function untilReady(options: ReadyOptions): Promise<void> {
  const { what, processes, logFile, deadlineMs = 60_000 } = options;
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const ready = await options.isReady();
    if (processes.some((one) => one.hasEnded())) throw await startFailure(what, 'ended', logFile);
    if (ready) return;
    if (performance.now() > deadline) {
      throw await startFailure(what, `was not ready in ${deadlineMs / 1000} s`, logFile);
    }
    await sleep(pollMs);
  }
}
