import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { limitsWanted } from '../../lib/limits.ts';
import { schemas } from '../../lib/messages.ts';
import {
  fetchLogs,
  OWN_PREFIX,
  ownName,
  remoteCmd,
  requireRunnable,
  SCRIPT_DEADLINE_MS,
  SCRIPT_LIMIT_MS,
  settings,
} from '../../lib/orders.ts';
import { startAlike } from '../jobs/alike.ts';
import { type Caller, fn, OPERATOR, type Room } from './function.ts';
import { on } from './on.ts';

/** What hosts are told to do: each makes a job with the same task for every host that is meant. */
const QUESTION_MS = 30_000;
const RESTART_MS = 120_000;
const MAX_OWN_ARGS_BYTES = 32 << 10;
const SOON = { timeoutMs: SCRIPT_LIMIT_MS, deadlineMs: SCRIPT_DEADLINE_MS };

const about = { on, limits: limitsWanted };
const made = z.object({ job: z.string() });

type Wanted = {
  type: string;
  args: object;
  on: string[];
  limits?: z.infer<typeof limitsWanted>;
  timeoutMs: number;
  deadlineMs?: number;
};

async function order(room: Room, wanted: Wanted, { id, key }: Caller): Promise<{ job: string }> {
  const job = await startAlike(room, wanted, { by: id, key });
  room.kick();
  return { job };
}

/** Asked of hosts that are there now: an answer of tomorrow is of no use. */
const question = (type: string, args: object, { on, limits }: Pick<Wanted, 'on' | 'limits'>): Wanted => {
  return { type, args, on, limits, timeoutMs: QUESTION_MS, deadlineMs: QUESTION_MS };
};

export const commandFunctions = [
  fn({
    name: 'remote_cmd',
    help: `Runs a script of the hosts' script folder, or of a release that they have ("release"), or, where a host allows it, text for a shell ("shell"). Arguments are passed as they are; "stdin" is what it reads. The limit of each is "limits.timeoutMs", or ten minutes; so long, or "limits.deadlineMs", it waits for hosts that are away.`,
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: remoteCmd.extend(about),
    output: made,
    handler: async (room, { on, limits, ...args }, caller) => {
      requireRunnable(args);
      return order(room, { type: 'remote_cmd', args, on, limits, ...SOON }, caller);
    },
  }),
  fn({
    name: 'facts',
    help: 'Asks hosts what they are: system, processors, memory, disks, addresses, and the MySQL and MariaDB servers that run. It is kept with each host.',
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: z.object(about),
    output: made,
    handler: async (room, input, caller) => order(room, question('facts', {}, input), caller),
  }),
  fn({
    name: 'restart_agent',
    help: 'Restarts the agents of hosts. Scripts that run go on.',
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: z.object(about),
    output: made,
    handler: async (room, input, caller) =>
      order(room, { type: 'restart', args: {}, ...input, ...SOON, timeoutMs: RESTART_MS }, caller),
  }),
  fn({
    name: 'fetch_logs',
    help: "Fetches the end of the agents' own logs, or of their loaders', from hosts that are there.",
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: fetchLogs.extend(about),
    output: made,
    handler: async (room, { on, limits, ...args }, caller) =>
      order(room, question('fetch_logs', args, { on, limits }), caller),
  }),
  fn({
    name: 'get_config',
    help: 'Asks hosts which settings they go by, and which of those "set_config" may change.',
    callers: OPERATOR,
    effect: 'reads',
    input: z.object(about),
    output: made,
    handler: async (room, input, caller) => order(room, question('get_config', {}, input), caller),
  }),
  fn({
    name: 'set_config',
    help: 'Changes settings of hosts and restarts their agents: how often and how much, never whom a host trusts, where its scripts lie or as whom they run.',
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: z.object({ ...about, set: settings }),
    output: made,
    handler: async (room, { set, ...input }, caller) => {
      if (Object.keys(set).length === 0) throw new InputError('bad_argument', 'set: name a setting');
      return order(room, { type: 'set_config', args: set, ...input, timeoutMs: RESTART_MS }, caller);
    },
  }),
  fn({
    name: 'start_task',
    help: 'Has hosts carry out a task of one\'s own, which came with the release that they run. The limit of each is "limits.timeoutMs", or ten minutes.',
    callers: OPERATOR,
    effect: 'changes',
    makesJob: true,
    input: z.object({ ...about, task: ownName, args: schemas.json.default({}) }),
    output: made,
    handler: async (room, { task, args, ...input }, caller) => {
      const bytes = Buffer.byteLength(JSON.stringify(args));
      if (bytes > MAX_OWN_ARGS_BYTES) {
        throw new InputError('too_large', `arguments of ${bytes} bytes; at most ${MAX_OWN_ARGS_BYTES}`);
      }
      return order(room, { type: `${OWN_PREFIX}${task}`, args, ...input, ...SOON }, caller);
    },
  }),
];
