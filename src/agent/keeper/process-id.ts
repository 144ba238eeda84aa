import { readdirSync, readFileSync } from 'node:fs';

/** A process, told from a later one with the same pid: by when it began, in ticks since this boot of the machine. */
export type ProcessId = { pid: number; start: string; boot: string };

/** Undefined when there is no such process, or only what nobody has reaped yet. */
export function processId(pid: number): ProcessId | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : { pid, start, boot: bootId() };
}

export function lives({ pid, start, boot }: ProcessId): boolean {
  return startOf(pid) === start && bootId() === boot;
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name in parentheses, may hold spaces; the state is the 3rd, the start the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** False when there is nobody to signal. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** In the environment of a script, and so of all that it starts. */
export const MARK = 'MEGA_TASK';

/** Kills all that bears a task's mark, whatever group or session it has made for itself; how many there were. */
export function killMarked(task: string): number {
  const found = markedBy(task);
  for (const pid of found) signal(pid, 'SIGKILL');
  return found.length;
}

function markedBy(task: string): number[] {
  return having('environ', `${MARK}=${task}`).filter((pid) => startOf(pid) !== undefined);
}

/** Whether a process runs that was given this word. */
export const runsWith = (word: string) => having('cmdline', word).length > 0;

function having(file: 'environ' | 'cmdline', word: string): number[] {
  const others = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid);
  return others.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').includes(word);
    } catch {
      return false; // gone meanwhile, or another user's and so none of ours
    }
  });
}
