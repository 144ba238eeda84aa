import { after, before } from 'node:test';
import { startServers } from '../../dev/servers.ts';
import { until } from '../../dev/world/until.ts';
import { World, type WorldOptions } from '../../dev/world/world.ts';

/** A world for one test file: a vhost, a database and one dispatcher on the servers that the tests share. */
export function useWorld(options: Partial<WorldOptions> = {}, { dispatchers = 1 } = {}): () => World {
  let world: World;
  const opened = new AsyncDisposableStack();
  before(async () => {
    const servers = opened.use(await startServers({ folder: '.mega/test' }));
    world = opened.use(await World.open({ servers, folder: '.mega/test', ...options }));
    for (let i = 0; i < dispatchers; i++) await world.startDispatcher();
  });
  after(() => opened.disposeAsync());
  return () => world;
}

export type TaskView = {
  id: string;
  job: string;
  host: string;
  type: string;
  args: Record<string, unknown>;
  state: string;
  phase: string | null;
  reason: string | null;
  running: string | null;
  late: boolean;
  attempts: number;
  fromVersion: string | null;
  events: { seq: number; state: string; phase: string | null; reason: string | null; agentMs: number }[];
};
export type JobView = { id: string; state: string; counts: Record<string, number> };

/** Budgets that a test can wait for. */
export const QUICK_TRIAL = { starts: 3, seconds: 20, hangSeconds: 5 };

/** Orders an upgrade, or the way back, and returns its job. */
export async function upgrade(world: World, to: string, on: string[], trial = QUICK_TRIAL): Promise<string> {
  return (await world.call<{ job: string }>('client_upgrade', { to, on, trial, downgrade: true })).job;
}

/** Waits for the end of a job; its tasks by host. */
export async function ended(world: World, job: string, deadlineMs = 120_000): Promise<Map<string, TaskView>> {
  await until(
    `job ${job} to end`,
    async () => (await world.call<JobView>('get_job', { id: job })).state !== 'running',
    { deadlineMs, pollMs: 200 },
  );
  return tasksOf(world, job);
}

export async function tasksOf(world: World, job: string): Promise<Map<string, TaskView>> {
  const tasks = await world.call<TaskView[]>('get_all_task', { job, events: true, limit: 500 });
  return new Map(tasks.map((task) => [task.host, task]));
}

/** How a task ended, in the fewest words. */
export const told = (task: TaskView | undefined) => [task?.state, task?.phase, task?.running].join(' ');
