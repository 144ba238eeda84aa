import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { sleep } from '../../lib/utils.ts';
import { Pipe } from './pipe.ts';
import { killMarked, processId, signal } from './process-id.ts';
import type { End, Plan, RunFolder } from './run-folder.ts';
import { Segments } from './segments.ts';
import { clearWork } from './work.ts';

/** What is written by then counts as written by the script itself, and not by what it has left behind. */
const DRAIN_MS = 300;
const LOOK_MS = 50;
const AGAIN_MS = 1_000;

/**
 * Keeps one script: a process of its own between agent and script, so that no end of the agent is the script's. It starts
 * the script, bounds what that writes, ends it at its limit, and writes down how it ended, which only a parent learns.
 * It runs as the agent does, so that a script of another user can change none of that.
 *
 * INVARIANTS
 * - A script is started once: by whoever has claimed its folder.
 * - What is written down as its end is true when it is written: of its process group nobody lives any more.
 */
export async function keep(folder: RunFolder, asked: AbortSignal): Promise<void> {
  if (!folder.claim(processId(process.pid)!)) return; // an agent has given us up
  const plan = folder.plan;
  const end = await run(folder, plan, asked);
  await clearWork(plan.work);
  await finishSurely(folder, end);
}

/** On a full disk there is no room for the word: it is tried until there is. Our agent waits no longer than the limit. */
async function finishSurely(folder: RunFolder, end: End): Promise<void> {
  for (;;) {
    try {
      return folder.finish(end);
    } catch {
      await sleep(AGAIN_MS);
    }
  }
}

async function run(folder: RunFolder, plan: Plan, asked: AbortSignal): Promise<End> {
  using pipe = new Pipe(folder.at('pipe'), plan.user);
  using output = new Segments(folder.path, plan.headBytes, plan.segmentBytes);
  const how = {
    code: null,
    signal: null,
    stopped: null,
    leftovers: false,
    bytes: 0,
    lostBytes: 0,
    error: null,
  };
  let child: ChildProcess;
  try {
    child = start(folder, plan, pipe);
    await once(child, 'spawn');
  } catch (error) {
    return { ...how, error: (error as Error).message };
  } finally {
    folder.forgetStdin();
  }
  const written = pipe.read((bytes) => output.write(bytes));
  const ended = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  const stopped = await untilEnded(child, plan, ended, asked);
  const [code, by] = await ended;
  await Promise.race([written, sleep(DRAIN_MS)]);
  const leftovers = await endGroup(child.pid!, plan);
  await Promise.race([written, sleep(DRAIN_MS)]);
  const { total: bytes, lostBytes } = output;
  return { ...how, code, signal: by, stopped, leftovers, bytes, lostBytes };
}

function start(folder: RunFolder, plan: Plan, pipe: Pipe): ChildProcess {
  const [program = '', ...args] = plan.command;
  const stdin = openSync(folder.hasStdin ? folder.at('stdin') : '/dev/null', 'r');
  try {
    return spawn(program, args, {
      cwd: plan.work,
      env: plan.env,
      stdio: [stdin, pipe.writer, pipe.writer],
      detached: true, // a session and group of its own
      ...plan.user,
    });
  } finally {
    closeSync(stdin);
  }
}

/** Ends it at its limit, or when asked to; why, if so. */
async function untilEnded(
  child: ChildProcess,
  { task, timeoutMs, graceMs }: Plan,
  ended: Promise<unknown>,
  asked: AbortSignal,
): Promise<End['stopped']> {
  const limit = sleep(timeoutMs, asked).then(
    () => 'limit' as const,
    () => 'asked' as const,
  );
  const stopped = await Promise.race([ended.then(() => null), limit]);
  if (stopped === null) return null;
  signal(-child.pid!, 'SIGTERM');
  await Promise.race([ended, sleep(graceMs)]);
  signal(-child.pid!, 'SIGKILL');
  killMarked(task);
  return stopped;
}

/** Ends what is left of its group: a task that has ended does nothing more. True when there was something. */
async function endGroup(group: number, { graceMs }: Plan): Promise<boolean> {
  if (!signal(-group, 'SIGTERM')) return false;
  for (let waitedMs = 0; waitedMs < graceMs && signal(-group, 0); waitedMs += LOOK_MS) await sleep(LOOK_MS);
  signal(-group, 'SIGKILL');
  return true;
}
