import type { Command } from 'commander';
import type { Host, Task } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { pairs, printJson, table, widthOf } from '../table.ts';
import { TASK_COLUMNS } from '../task.ts';
import { labelsOf, moment } from '../text.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';

type ShownHost = Host & { facts: Record<string, unknown>; tasks: Task[] };
type Pairs = [name: string, value: string | null][];

const LATEST_TASKS = 5;
const MOST_FACTS = 50;

export function addShow(host: Command, room: Room): void {
  const show = host
    .command('show <host>')
    .description('show a host, what it tells of itself, and its latest tasks')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, id) => {
      const found = await withSender(options, async (call): Promise<ShownHost> => {
        const about = await call<Omit<ShownHost, 'tasks'>>('get_server', { host: id });
        return { ...about, tasks: await call<Task[]>('get_all_task', { host: id, limit: LATEST_TASKS }) };
      });
      if (options.json) printJson(room.out, found);
      else room.out.write(story(found, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega host show db-01');
}

/** Beside being there or not, a host may be held. */
export function stateOf(host: Host): string {
  if (host.cutOffUntil !== null) return 'cut off';
  const held = host.hold !== null || host.ownerHold !== null ? ', held' : '';
  return (host.online ? 'online' : 'away') + held;
}

function story(host: ShownHost, width: number): string {
  const about = pairs([
    ['host', host.id],
    ['state', stateOf(host)],
    ...cutOffOf(host),
    ...holdsOf(host),
    ['version', host.version],
    ['platform', host.platform],
    ['last seen', moment(host.lastSeenAt)],
    ['registered', moment(host.registeredAt)],
    ['labels', labelsOf(host.labels)],
    ...factsOf(host.facts).slice(0, MOST_FACTS),
  ]);
  return host.tasks.length === 0 ? about : `${about}\n${table(host.tasks, TASK_COLUMNS, width)}`;
}

function cutOffOf({ cutOffUntil, cutOffReason }: Host): Pairs {
  if (cutOffUntil === null) return [];
  const until = `${cutOffUntil.slice(0, 19).replace('T', ' ')} UTC`;
  return [
    ['cut off', cutOffReason],
    ['until', until],
  ];
}

function holdsOf({ hold, ownerHold }: Host): Pairs {
  const all: Pairs = [];
  if (hold) {
    const until = hold.until === null ? 'until somebody ends it' : `until ${moment(hold.until)}`;
    all.push(['held', `by ${hold.by}, ${until}: ${hold.reason}`]);
  }
  if (ownerHold !== null) all.push(['held', `by its owner, while there is a file etc/hold: ${ownerHold}`]);
  return all;
}

/** Each under the name by which `--on` finds it. */
function factsOf(facts: Record<string, unknown>, before = 'fact.'): Pairs {
  return Object.entries(facts).flatMap(([name, value]): Pairs => {
    if (Array.isArray(value)) return [[before + name, value.map(String).join(' ')]];
    if (typeof value !== 'object' || value === null) return [[before + name, String(value)]];
    return factsOf(value as Record<string, unknown>, `${before}${name}.`);
  });
}
