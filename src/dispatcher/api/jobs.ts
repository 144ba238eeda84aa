import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { limitsWanted } from '../../lib/limits.ts';
import { schemas, trialWanted } from '../../lib/messages.ts';
import { startPing } from '../jobs/alike.ts';
import { startUpgrade } from '../jobs/upgrade.ts';
import { getJob, listJobs, OPEN_JOBS } from '../store/jobs.ts';
import { listTasks } from '../store/tasks.ts';
import { AGENT, fn, OPERATOR, VIEWER } from './function.ts';
import { job, jobId, jobNow, told, toldNow, unknownJob } from './job-told.ts';
import { on } from './on.ts';
import { listed } from './shown.ts';

/** Less than a call may last. */
const MAX_WAIT_MS = 5_000;

const isOpen = (state: string | undefined) => (OPEN_JOBS as readonly (string | undefined)[]).includes(state);

export const jobFunctions = [
  fn({
    name: 'client_upgrade',
    help: 'Upgrades hosts to a published version (without "to": the newest). Hosts that run a newer one go back only with "downgrade". An operator names the hosts; a host that calls it upgrades itself. More than 10 hosts are taken in waves of 1, 10% and 100%, and the job pauses past 10% of errors, unless "limits" name other waves.',
    callers: [...AGENT, ...OPERATOR],
    effect: 'changes',
    makesJob: true,
    input: z.object({
      to: schemas.version.optional(),
      on: on.optional(),
      trial: trialWanted,
      downgrade: z.boolean().default(false),
      limits: limitsWanted,
    }),
    output: z.object({ job: z.string(), task: z.string().optional() }),
    handler: async (room, input, caller) => {
      const self = caller.role === 'agent';
      const hosts = self ? [caller.id] : input.on;
      if (!hosts) throw new InputError('bad_argument', 'on: name the hosts, or "all"');
      const { to, trial, downgrade, limits } = input;
      const request = { to, trial, downgrade, limits: self ? undefined : limits, on: hosts };
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
    makesJob: true,
    input: z.object({ on, limits: limitsWanted }),
    output: z.object({ job: z.string() }),
    handler: async (room, input, caller) => {
      const id = await startPing(room, input, { by: caller.id, key: caller.key });
      room.kick();
      return { job: id };
    },
  }),
  fn({
    name: 'get_job',
    help: 'One job: how many of its tasks are in each state, wave by wave, what went wrong, and what it waits for; with "waitMs" once it has ended, or after so long; with "times" also when each wave began and ended.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      id: jobId,
      waitMs: z.int().min(0).max(MAX_WAIT_MS).default(0),
      times: z.boolean().default(false),
    }),
    output: jobNow,
    handler: async (room, { id, waitMs, times }) => {
      const ended = async () => !isOpen((await getJob(room.db, id))?.state);
      if (waitMs > 0) await room.endings.wait(id, waitMs, ended);
      const row = await getJob(room.db, id);
      if (!row) throw unknownJob(id);
      return toldNow(room, row, times);
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
