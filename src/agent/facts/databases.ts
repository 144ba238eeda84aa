import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { listening } from './listening.ts';

const PROGRAMS = new Set(['mysqld', 'mariadbd']);
const MAX_DATABASES = 50;
const VERSION_MS = 5_000;

/** A MySQL or MariaDB server that runs here; null is what could not be found out by whom the agent is. */
export type Database = {
  program: string;
  pid: number;
  version: string | null;
  /** Where it listens; none with `skip-networking`. */
  ports: number[];
  socket: string | null;
  dataFolder: string | null;
};

/** The servers that run, from /proc alone: nobody logs in to them, and none of their files is read. */
export async function databases(signal: AbortSignal): Promise<Database[]> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.filter((pid) =>
    PROGRAMS.has(quietly(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? ''),
  );
  const all = await Promise.all(found.slice(0, MAX_DATABASES).map((pid) => about(Number(pid), signal)));
  return all.toSorted((a, b) => a.pid - b.pid);
}

async function about(pid: number, signal: AbortSignal): Promise<Database> {
  const args = quietly(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0') ?? [];
  const program = quietly(() => readlinkSync(`/proc/${pid}/exe`)) ?? null;
  const ports = listening(pid);
  const port = Number(optionOf(args, 'port'));
  return {
    program: program ?? args[0] ?? 'mysqld',
    pid,
    version: program === null ? null : await versionOf(pid, program, signal),
    ports: ports ?? (port > 0 ? [port] : []),
    socket: optionOf(args, 'socket') ?? null,
    // It makes this its working folder; what its command line says may be relative to another.
    dataFolder: quietly(() => readlinkSync(`/proc/${pid}/cwd`)) ?? optionOf(args, 'datadir') ?? null,
  };
}

export function optionOf(args: string[], name: string): string | undefined {
  const prefix = `--${name}=`;
  const at = args.findLastIndex((arg) => arg.startsWith(prefix) || arg === `--${name}`);
  return args[at]?.startsWith(prefix) ? args[at].slice(prefix.length) : args[at + 1 || args.length];
}

/**
 * As its program says it. Whoever runs a program may have called it mysqld: it is asked in the name of that user, who so
 * gains nothing, or not at all. Of one that was replaced since it started nothing can be said.
 */
async function versionOf(pid: number, program: string, signal: AbortSignal): Promise<string | null> {
  const owner = quietly(() => statSync(`/proc/${pid}`));
  if (owner === undefined || program.endsWith(' (deleted)')) return null;
  const own = process.getuid!();
  if (own !== 0 && own !== owner.uid && !isOfSystem(program)) return null;
  const user = own === 0 ? { uid: owner.uid, gid: owner.gid } : {};
  const options = {
    ...user,
    timeout: VERSION_MS,
    killSignal: 'SIGKILL',
    cwd: '/',
    env: {},
    maxBuffer: 64 << 10,
    signal,
  } as const;
  try {
    const { stdout } = await promisify(execFile)(program, ['--no-defaults', '--version'], options);
    return /\bVer (\S+)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Root's alone to change. */
function isOfSystem(program: string): boolean {
  const { uid, mode } = quietly(() => statSync(program)) ?? { uid: -1, mode: 0 };
  return uid === 0 && (mode & 0o022) === 0;
}

/** Of a process that is gone, or not for us to see, there is nothing to read. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
