import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AgentConfig } from '../../lib/config.ts';
import type { Order } from '../../lib/messages.ts';
import { type RemoteCmd, requireRunnable } from '../../lib/orders.ts';
import { MARK } from '../keeper/process-id.ts';
import type { Plan } from '../keeper/run-folder.ts';
import type { Room } from '../room.ts';
import { Refusal } from '../upgrade/refusal.ts';
import { findScript, interpreted, typeOf } from './find.ts';
import { type ScriptUser, scriptUser } from './user.ts';

/** Where programs are looked for, whatever started us. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** On disk a script's output takes a head and two or three segments: 2 MB, whatever it writes. */
const HEAD_BYTES = 256 << 10;
const SEGMENT_BYTES = 512 << 10;
const CPU_GRACE_SECONDS = 5;

/** What a script is called in logs and in its own environment. */
export const labelOf = ({ script = 'shell text', release }: RemoteCmd) =>
  release === undefined ? script : `${script} of ${release}`;

/** What the keeper is to do. Errors: {@link Refusal}, and then nothing was done. */
export async function planScript(room: Room, order: Order, asked: RemoteCmd): Promise<Plan> {
  requireRunnable(asked);
  const { home, host, config } = room;
  const user = await scriptUser(config.scriptUser);
  const script = commandOf(room, asked, user);
  const work = join(home.work, order.task);
  const env = {
    ...{
      PATH,
      HOME: user.home,
      USER: user.name,
      LOGNAME: user.name,
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
      TMPDIR: work,
    },
    ...{ [MARK]: order.task, MEGA_HOST: host, MEGA_SCRIPT: labelOf(asked) },
  };
  const { uid, gid } = user;
  return {
    task: order.task,
    command: limited(
      script,
      lesser(asked.memoryBytes, config.scriptMemoryBytes),
      lesser(asked.cpuSeconds, config.scriptCpuSeconds),
    ),
    env,
    work,
    user: user.isOther ? { uid, gid } : undefined,
    timeoutMs: order.timeoutMs,
    graceMs: asked.graceMs,
    headBytes: HEAD_BYTES,
    segmentBytes: SEGMENT_BYTES,
  };
}

/** Its own folder to work in, which nobody else can enter. */
export function makeWork(room: Room, { work, user }: Plan): void {
  mkdirSync(room.home.work, { recursive: true, mode: 0o711 });
  mkdirSync(work, { recursive: true, mode: 0o700 });
  if (user) chownSync(work, user.uid, user.gid);
}

function commandOf({ home, config, version }: Room, asked: RemoteCmd, user: ScriptUser): string[] {
  if (asked.shell !== undefined) {
    requireShell(config);
    return ['/bin/sh', '-c', asked.shell, 'sh', ...asked.args];
  }
  const { script = '', release } = asked;
  const folder =
    release === undefined
      ? resolve(home.root, config.scripts)
      : packaged(home.release(release), release, version);
  // Of a package the files are the agent's, who has unpacked them.
  const path = findScript(folder, script, new Set([0, process.getuid!(), user.uid]));
  return [...interpreted(path, asked.type ?? typeOf(script), PATH), ...asked.args];
}

function requireShell({ allowShellText }: AgentConfig): void {
  if (allowShellText) return;
  throw new Refusal(
    'no_shell_text',
    'this host takes no text for a shell: put it into a script, or set allowShellText in its etc/agent.json',
  );
}

function packaged(folder: string, release: string, runs: string): string {
  const scripts = join(folder, 'scripts');
  if (existsSync(scripts)) return scripts;
  throw new Refusal(
    'no_release',
    `the scripts of ${release} are not on this host, which runs ${runs}: upgrade it first`,
  );
}

/**
 * Under limits of the system, which hold for each process by itself. Memory is what a process asks for to write into
 * (RLIMIT_DATA): of its address space programs such as Node.js reserve far more than they use.
 */
function limited(
  command: string[],
  memoryBytes: number | undefined,
  cpuSeconds: number | undefined,
): string[] {
  const limits = ['ulimit -c 0'];
  if (memoryBytes !== undefined) limits.push(`ulimit -d ${Math.floor(memoryBytes / 1024)}`);
  if (cpuSeconds !== undefined) {
    limits.push(`ulimit -S -t ${cpuSeconds}`, `ulimit -H -t ${cpuSeconds + CPU_GRACE_SECONDS}`);
  }
  return ['/bin/sh', '-c', `${limits.join(' && ')} && exec "$@"`, 'sh', ...command];
}

function lesser(asked: number | undefined, own: number | undefined): number | undefined {
  const all = [asked, own].filter((one) => one !== undefined);
  return all.length === 0 ? undefined : Math.min(...all);
}
