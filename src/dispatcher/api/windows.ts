import { z } from 'zod';
import { InputError, MegaError } from '../../lib/errors.ts';
import { isOpen, nextChange, readWindow } from '../../lib/when/window.ts';
import { allHosts, type HostRow } from '../store/hosts.ts';
import { databaseNow } from '../store/server.ts';
import { addWindow, listWindows, removeWindow, type WindowRow } from '../store/windows.ts';
import { hostsMeant } from '../targets.ts';
import { fn, OPERATOR, VIEWER } from './function.ts';

/** So many names fit beside a task; each window is looked at in each step of a job. */
const MOST = 50;
const name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,39}$/, 'a name of a-z, 0-9, _, . and -, at most 40');
const window = z.object({
  name: z.string(),
  on: z.array(z.string()),
  open: z.string(),
  zone: z.string(),
  isOpen: z.boolean(),
  changesAt: z.string().nullable(),
  hosts: z.number(),
  createdAt: z.string(),
  createdBy: z.string(),
});

function told(row: WindowRow, hosts: HostRow[], now: Date): z.infer<typeof window> {
  const { createdAt, ...about } = row;
  const read = readWindow(row.open, row.zone);
  const state = { isOpen: isOpen(read, now), changesAt: nextChange(read, now)?.toISOString() ?? null };
  return { ...about, ...state, hosts: hostsMeant(hosts, row.on).length, createdAt: createdAt.toISOString() };
}

export const windowFunctions = [
  fn({
    name: 'add_window',
    help: 'Hosts that "on" means may begin work only while a window of theirs is open, such as "mon-fri 22:00-04:00, sat 10:00-18:00 Asia/Shanghai"; the time zone stands there or in "zone". What has begun goes on to its end. It holds for jobs that are made from now on.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      name,
      on: z.array(z.string().min(1).max(200)).min(1).max(1_000),
      open: z.string().min(1).max(200),
      zone: z.string().max(64).default('UTC'),
    }),
    output: window,
    handler: async (room, input, caller) => {
      const { text: open, zone } = readWindow(input.open, input.zone);
      const hosts = await allHosts(room.db);
      hostsMeant(hosts, input.on); // what cannot be read is told now
      if ((await listWindows(room.db)).length >= MOST)
        throw new InputError('bad_argument', `there are ${MOST} windows already: mega window remove`);
      const { id: by, key } = caller;
      const added = { name: input.name, on: input.on, open, zone, by, callKey: `${by}:${key}` };
      if (!(await addWindow(room.db, added))) throw taken(input.name);
      const row = (await listWindows(room.db)).find((one) => one.name === input.name);
      if (!row) throw unknown(input.name);
      return told(row, hosts, await databaseNow(room.db));
    },
  }),
  fn({
    name: 'del_window',
    help: 'Removes a window: nobody waits for it any more.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name }),
    output: z.object({ name: z.string() }),
    handler: async (room, input) => {
      if (!(await removeWindow(room.db, input.name))) throw unknown(input.name);
      return { name: input.name };
    },
  }),
  fn({
    name: 'get_all_window',
    help: 'All windows, whether each is open now, when that changes, and how many hosts keep it.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({}),
    output: z.array(window),
    handler: async (room) => {
      const [hosts, now] = [await allHosts(room.db), await databaseNow(room.db)];
      return (await listWindows(room.db)).map((row) => told(row, hosts, now));
    },
  }),
];

const taken = (wanted: string) =>
  new MegaError(
    'name_taken',
    `there is a window "${wanted}" already: choose another name, or remove it (mega window remove ${wanted})`,
  );

const unknown = (wanted: string) =>
  new InputError('unknown_window', `no window is called "${wanted}"; mega window list shows all`);
