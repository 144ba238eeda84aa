import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What is read off /proc, and the arithmetic of repeated runs. All of it is of Linux. */

/** The number in the middle; of an even count the upper one. */
export const median = (values: number[]) => quantile(values, 0.5);

/** 0.99 for the value that 99 of a hundred do not exceed; NaN of nothing. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** How long `work` takes, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** One after the other, `warmups` of them not counted; ms. */
export async function timedRuns(
  runs: number,
  work: () => Promise<unknown>,
  { warmups = 1 } = {},
): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < runs + warmups; i++) all.push(await timed(work));
  return all.slice(warmups);
}

const TICKS_A_SECOND = 100;

/** CPU that a process has used since its start, in ms, with that of its ended children that it has waited for. */
export function cpuMs(pid: number): number {
  const stat = read(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (ticks * 1000) / TICKS_A_SECOND;
}

/** The same without children, in steps finer than a tick: what its threads have run, in ms. */
export function ownCpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((id) => Number(read(pid, `task/${id}/schedstat`).split(' ')[0] ?? 0));
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** Resident memory in MB (of 2^20 bytes); `VmHWM` is the most that it ever was. */
export function residentMb(pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const kb = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(read(pid, 'status'))?.[1];
  return Number(kb ?? Number.NaN) / 1024;
}

/** From now on `VmHWM` is the most since now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Resident memory that is its own: what is shared with others, such as the program itself, is not counted. */
export function privateMb(pid: number): number {
  const kb = [...read(pid, 'smaps_rollup').matchAll(/^Private_\w+:\s+(\d+)/gm)].map(([, one]) => Number(one));
  return kb.reduce((sum, one) => sum + one, 0) / 1024;
}

/** Bytes that a process caused to be written to a disk. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(read(pid, 'io'))?.[1] ?? Number.NaN);
}

/** Processes of this program (`beam.smp`, `mariadbd`) that bear the folder, or one inside it, in their environment. */
export function processesIn(folder: string, program?: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const mark = `MEGA_SERVER_FOLDER=${folder}`;
  return pids.map(Number).filter((pid) => {
    if (program !== undefined && readOr(pid, 'comm').trim() !== program) return false;
    return readOr(pid, 'environ')
      .split('\0')
      .some((entry) => entry.startsWith(mark));
  });
}

/** The one process of this program. */
export function processIn(folder: string, program: string): number {
  const [pid, ...others] = processesIn(folder, program);
  if (pid === undefined || others.length > 0) throw new Error(`not one ${program} runs in ${folder}`);
  return pid;
}

const read = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');

function readOr(pid: number, file: string): string {
  try {
    return read(pid, file);
  } catch {
    return ''; // it has ended, or is another user's
  }
}
