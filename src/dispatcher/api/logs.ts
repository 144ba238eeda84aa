import { z } from 'zod';
import { LEVELS } from '../../lib/log-lines.ts';
import { allHosts } from '../store/hosts.ts';
import { type LogFilter, type LogRow, listLogs, newLogs } from '../store/logs.ts';
import { selectHosts } from '../targets.ts';
import { fn, type Room, VIEWER } from './function.ts';
import { on } from './on.ts';

/** Characters of all lines of one answer. */
const MAX_ANSWER = 250_000;
const MOST = 2_000;

const line = z.object({
  id: z.number(),
  host: z.string(),
  at: z.string(),
  /** By the database's clock. */
  keptAt: z.string(),
  level: z.enum(LEVELS),
  task: z.string().nullable(),
  script: z.string().nullable(),
  text: z.string(),
});
const lines = z.array(line);
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const told = (row: LogRow) => ({ ...row, at: row.at.toISOString(), keptAt: row.keptAt.toISOString() });

/** As many as one answer has room for, of those that come first. */
function fitting(rows: LogRow[]): LogRow[] {
  let room = MAX_ANSWER;
  const end = rows.findIndex(({ text }) => {
    room -= text.length + 200;
    return room < 0;
  });
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}

async function hostsOf(room: Room, terms: string[] | undefined): Promise<string[] | undefined> {
  if (terms === undefined) return undefined;
  return selectHosts(await allHosts(room.db), terms).map((host) => host.id);
}

export const logFunctions = [
  fn({
    name: 'get_logs',
    help: 'Log lines of hosts and their scripts, in order of time: the latest "limit" of them, with "before" those before a line; with "keptFrom" those that the dispatcher kept since then, in order of keeping. An answer may hold fewer than there are.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      on: on.optional(),
      task: z.uuid().optional(),
      level: z.enum(LEVELS).default('trace'),
      since: time.optional(),
      until: time.optional(),
      grep: z.string().min(1).max(200).optional(),
      before: z.object({ at: time, id: z.int() }).optional(),
      keptFrom: time.optional(),
      limit: z.int().min(1).max(MOST).default(200),
    }),
    output: lines,
    handler: async (room, { before, keptFrom, ...given }) => {
      const { task, since, until, grep } = given;
      const filter: LogFilter = { ...given, task, since, until, grep, hosts: await hostsOf(room, given.on) };
      if (keptFrom) return fitting(await newLogs(room.db, filter, keptFrom)).map(told);
      const rows = await listLogs(room.db, filter, before);
      return fitting(rows.reverse()).reverse().map(told);
    },
  }),
  fn({
    name: 'task_log',
    help: 'The last log lines of one task: what its script printed, in order of time.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({ task: z.uuid(), limit: z.int().min(1).max(MOST).default(MOST) }),
    output: lines,
    handler: async (room, { task, limit }) => {
      const rows = await listLogs(room.db, { task, limit, level: 'trace' });
      return fitting(rows.reverse()).reverse().map(told);
    },
  }),
];
