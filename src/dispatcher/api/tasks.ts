import { z } from 'zod';
import { InputError } from '../../lib/errors.ts';
import { schemas } from '../../lib/messages.ts';
import { sendCancel } from '../publish.ts';
import { retriedTasks, silentTasks } from '../store/task-kinds.ts';
import { cancelTask, type EventRow, getTask, listEvents, listTasks, type TaskRow } from '../store/tasks.ts';
import { ANYONE, fn, OPERATOR, type Room, VIEWER } from './function.ts';
import { listed, shownArgs } from './shown.ts';

/** An answer must fit into one message. */
const MOST_WITH_EVENTS = 200;

const event = z.object({
  seq: z.number(),
  state: z.string(),
  phase: z.string().nullable(),
  reason: z.string().nullable(),
  /** The agent's clock, in ms since 1970. */
  agentMs: z.number(),
  /** The dispatchers' clock: when they wrote it down. */
  recordedAt: z.string(),
});
const task = z.object({
  id: z.string(),
  job: z.string(),
  host: z.string(),
  type: z.string(),
  args: schemas.json,
  state: z.string(),
  phase: z.string().nullable(),
  reason: z.string().nullable(),
  attempts: z.number(),
  late: z.boolean(),
  wave: z.number(),
  /** How often its host was asked in this job, this time included. */
  tries: z.number(),
  fromVersion: z.string().nullable(),
  running: z.string().nullable(),
  output: schemas.json.nullable(),
  createdAt: z.string(),
  queuedAt: z.string().nullable(),
  acceptedAt: z.string().nullable(),
  startedAt: z.string().nullable(),
  heardAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Of the host, whatever it spoke of; and whether it counts as being there now. */
  lastSeenAt: z.string().nullable(),
  online: z.boolean(),
  events: z.array(event),
});
type Told = z.infer<typeof task>;

/** In a list; what is large get_task has. */
function inList(row: TaskRow, events: EventRow[] | undefined): Told {
  const one = told(row, events);
  return { ...one, args: listed(one.args), output: listed(one.output) };
}

function told(row: TaskRow, events: EventRow[] = []): Told {
  const { result, createdAt, queuedAt, acceptedAt, startedAt, heardAt, finishedAt, lastSeenAt, ...plain } =
    row;
  const iso = (at: Date | null) => at?.toISOString() ?? null;
  return {
    ...plain,
    args: shownArgs(plain.args),
    running: result?.running ?? null,
    output: result?.output ?? null,
    createdAt: createdAt.toISOString(),
    queuedAt: iso(queuedAt),
    acceptedAt: iso(acceptedAt),
    startedAt: iso(startedAt),
    heardAt: iso(heardAt),
    finishedAt: iso(finishedAt),
    lastSeenAt: iso(lastSeenAt),
    events: events.map(({ seq, state, phase, reason, agentMs, recordedAt }) => ({
      ...{ seq, state, phase, reason, agentMs },
      recordedAt: recordedAt.toISOString(),
    })),
  };
}

export const taskFunctions = [
  fn({
    name: 'get_task',
    help: 'One task with all that its host said of it. A host may ask for its own.',
    callers: ANYONE,
    effect: 'reads',
    input: z.object({ id: z.uuid() }),
    output: task,
    handler: async (room, { id }, caller) => {
      const row = await known(room, id);
      if (caller.role === 'agent' && row.host !== caller.id) throw missing(id);
      return told(row, await listEvents(room.db, [id]));
    },
  }),
  fn({
    name: 'get_all_task',
    help: 'Tasks of a job in order of host (pass the last host as "after" for the next ones) or, with order "slowest", those that took longest; or the latest of a host, or the latest of all. "states" leaves out a job\'s others; so does "only": "silent" are those that are lost, expired, undeliverable, or open while their host is away, "retried" those in whose place another try came. "events" adds what the hosts said, of at most 200 tasks a call.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      job: z.uuid().optional(),
      host: schemas.host.optional(),
      states: z.array(z.string().max(16)).min(1).max(20).optional(),
      only: z.enum(['silent', 'retried']).optional(),
      order: z.enum(['host', 'slowest']).default('host'),
      after: schemas.afterHost.default(''),
      limit: z.int().min(1).max(500).default(100),
      events: z.boolean().default(false),
    }),
    output: z.array(task),
    handler: async (room, { events, ...filter }) => {
      if (events) filter.limit = Math.min(filter.limit, MOST_WITH_EVENTS);
      const rows = await rowsOf(room, filter);
      const said = Map.groupBy(
        events
          ? await listEvents(
              room.db,
              rows.map((row) => row.id),
            )
          : [],
        (one) => one.task,
      );
      return rows.map((row) => inList(row, said.get(row.id)));
    },
  }),
  fn({
    name: 'cancel_task',
    help: 'Cancels a task: at once when it was not sent, otherwise by asking its host, which may be past the point of no return.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id: z.uuid() }),
    output: z.object({ state: z.string(), host: z.string() }),
    handler: async (room, { id }) => {
      const { host } = await known(room, id);
      const state = await cancelTask(room.db, id);
      if (state === 'cancelling') await sendCancel(room, id, host);
      return { state: state === 'ended' ? (await known(room, id)).state : state, host };
    },
  }),
];

type Filter = {
  job?: string | undefined;
  host?: string | undefined;
  states?: string[] | undefined;
  only?: 'silent' | 'retried' | undefined;
  order: 'host' | 'slowest';
  after: string;
  limit: number;
};

function rowsOf({ db }: Room, { only, ...filter }: Filter): Promise<TaskRow[]> {
  const { job } = filter;
  if (only === undefined || job === undefined) return listTasks(db, filter);
  return only === 'silent' ? silentTasks(db, { ...filter, job }) : retriedTasks(db, { ...filter, job });
}

async function known(room: Room, id: string): Promise<TaskRow> {
  const row = await getTask(room.db, id);
  if (!row) throw missing(id);
  return row;
}

const missing = (id: string) =>
  new InputError('unknown_task', `there is no task ${id}; mega task list shows the latest`);
