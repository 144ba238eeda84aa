import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas, trialWanted } from '../../lib/messages.ts';
import { startPing, startUpgrade } from '../jobs.ts';
import { countStates, getJob, type JobRow, listJobs } from '../store/jobs.ts';
import { listTasks } from '../store/tasks.ts';
import { AGENT, fn, OPERATOR, VIEWER } from './function.ts';
import { listed, shownArgs } from './shown.ts';

/** Less than a call may last. */
const MAX_WAIT_MS = 5_000;

const on = z.array(z.string().min(1).max(200)).min(1).max(10_000);
const job = z.object({
  id: z.string(),
  type: z.string(),
  args: schemas.json,
  target: z.string(),
  state: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  finishedAt: z.string().nullable(),
});

const told = (row: JobRow) => ({
  ...row,
  args: shownArgs(row.args),
  createdAt: row.createdAt.toISOString(),
  finishedAt: row.finishedAt?.toISOString() ?? null,
});

export const jobFunctions = [
  fn({
    name: 'client_upgrade',
    help: 'Upgrades hosts to a published version (without "to": the newest). Hosts that run a newer one go back only with "downgrade". An operator names the hosts; a host that calls it upgrades itself.',
    callers: [...AGENT, ...OPERATOR],
    effect: 'changes',
    input: z.object({
      to: schemas.version.optional(),
      on: on.optional(),
      trial: trialWanted,
      downgrade: z.boolean().default(false),
    }),
    output: z.object({ job: z.string(), task: z.string().optional() }),
    handler: async (room, input, caller) => {
      const self = caller.role === 'agent';
      const hosts = self ? [caller.id] : input.on;
      if (!hosts) throw new InputError('bad_argument', 'on: name the hosts, or "all"');
      const { to, trial, downgrade } = input;
      const request = { to, trial, downgrade, on: hosts };
      const id = await startUpgrade(room, request, { by: caller.id, key: caller.key });
      room.kick();
      if (!self) return { job: id };
      const [task] = await listTasks(room.db, { job: id, after: '', limit: 1 });
      return { job: id, task: task?.id };
    },
  }),
  fn({
    name: 'ping',
    help: 'Asks hosts through their own queues whether they are there.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ on }),
    output: z.object({ job: z.string() }),
    handler: async (room, input, caller) => {
      const id = await startPing(room, input.on, { by: caller.id, key: caller.key });
      room.kick();
      return { job: id };
    },
  }),
  fn({
    name: 'get_job',
    help: 'One job, with how many of its tasks are in each state; with "waitMs" once it has ended, or after so long.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({ id: z.uuid(), waitMs: z.int().min(0).max(MAX_WAIT_MS).default(0) }),
    output: job.extend({ counts: z.record(z.string(), z.number()) }),
    handler: async (room, { id, waitMs }) => {
      const ended = async () => (await getJob(room.db, id))?.state !== 'running';
      if (waitMs > 0) await room.endings.wait(id, waitMs, ended);
      const row = await getJob(room.db, id);
      if (!row) throw new InputError('unknown_job', `there is no job ${id}; mega job list shows the latest`);
      const counts = await countStates(room.db, id);
      return { ...told(row), counts: counts as Record<string, number> };
    },
  }),
  fn({
    name: 'get_all_job',
    help: 'The latest jobs, newest first.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({ limit: z.int().min(1).max(1000).default(20) }),
    output: z.array(job),
    handler: async (room, { limit }) =>
      (await listJobs(room.db, limit)).map(told).map((one) => ({ ...one, args: listed(one.args) })),
  }),
];
