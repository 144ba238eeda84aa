import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AgentProcess } from '../../dev/world/agent.ts';
import { until } from '../../dev/world/until.ts';
import type { World } from '../../dev/world/world.ts';
import type { ScriptOutput } from '../../src/lib/orders.ts';
import type { TaskView } from './world.ts';

export type ScriptTask = TaskView & { output: ScriptOutput | null };

/** The script folder of a host, which in a world is beside its home as on any other machine. */
export const scriptsOf = (agent: AgentProcess) => join(dirname(agent.home.root), 'scripts');

export function addScript(agent: AgentProcess, name: string, text: string, mode = 0o755): string {
  const path = join(scriptsOf(agent), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** Orders a script for one host; its task. */
export async function begin(
  world: World,
  agent: AgentProcess,
  args: object,
  limitMs?: number,
): Promise<string> {
  const limits = limitMs === undefined ? {} : { limits: { timeoutMs: limitMs } };
  const { job } = await world.call<{ job: string }>('remote_cmd', { on: [agent.id], ...args, ...limits });
  const [task] = await world.call<TaskView[]>('get_all_task', { job });
  return task!.id;
}

const OPEN = ['pending', 'queued', 'accepted', 'running', 'cancelling'];

/** The task of a script, once it has ended. */
export async function ended(world: World, task: string): Promise<ScriptTask> {
  return until(
    `task ${task} to end`,
    async () => {
      const found = await world.call<ScriptTask>('get_task', { id: task });
      return OPEN.includes(found.state) ? undefined : found;
    },
    { pollMs: 40 },
  );
}

/** Runs a script on one host to its end. */
export async function runs(
  world: World,
  agent: AgentProcess,
  args: object,
  limitMs?: number,
): Promise<ScriptTask> {
  return ended(world, await begin(world, agent, args, limitMs));
}

/** The processes of this machine in whose environment that stands. */
export function processesWith(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .filter((pid) => {
      try {
        const isDead = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        return !isDead && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    });
}
