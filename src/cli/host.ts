import type { Command } from 'commander';
import type { Host, Task } from './answers.ts';
import { EXIT } from './exit.ts';
import { type AddOptions, addHostHere } from './host/add.ts';
import { addConfig } from './host/config.ts';
import { addFacts } from './host/facts.ts';
import { addLogs } from './host/logs.ts';
import { addRestart } from './host/restart.ts';
import { addRotate } from './host/rotate.ts';
import { allHosts, withSender } from './session.ts';
import { type Column, pairs, printJson, table, widthOf } from './table.ts';
import { TASK_COLUMNS } from './task.ts';
import { ago, labelsOf, moment, quoted } from './text.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega host`: the machines of the fleet. */
export function addHost(program: Command, room: Room): void {
  const host = program.command('host').description('hosts: the machines of the fleet');
  example(host, 'mega host list', 'mega host show db-01');
  addList(host, room);
  addShow(host, room);
  addAdd(host, room);
  addRotate(host, room);
  for (const add of [addFacts, addRestart, addLogs, addConfig]) add(host, room);

  const remove = host
    .command('remove <host>')
    .description('remove a host: its user and queue in the broker; its tasks stay as history');
  remove.action(
    act(room, async (options, id) => {
      await withSender(options, (call) => call('del_server', { host: id }));
      room.out.write(
        `${id} is removed: the broker has closed its connection and lets it in no more; stop its agent\n`,
      );
      return EXIT.good;
    }),
  );
  example(remove, 'mega host remove db-01');
  addRelease(host, room);
}

function addRelease(host: Command, room: Room): void {
  const release = host
    .command('release <host>')
    .description('let a host connect again at once that flooded and was cut off');
  release.action(
    act(room, async (options, id) => {
      const args = { host: id };
      const { released } = await withSender(options, (call) => {
        return call<{ released: boolean }>('release_server', args);
      });
      room.out.write(released ? `${id} may connect again\n` : `${id} is not cut off\n`);
      return EXIT.good;
    }),
  );
  example(release, 'mega host release db-01');
}

function stateOf(host: Host): string {
  if (host.cutOffUntil !== null) return 'cut off';
  return host.online ? 'online' : 'away';
}

const HOST_COLUMNS: Column<Host>[] = [
  { title: 'HOST', cell: (host) => host.id },
  { title: 'STATE', cell: stateOf },
  { title: 'VERSION', cell: (host) => host.version ?? '-' },
  { title: 'PLATFORM', cell: (host) => host.platform ?? '-' },
  { title: 'LAST SEEN', cell: (host) => ago(host.lastSeenAt), right: true },
];

function addList(host: Command, room: Room): void {
  const list = host
    .command('list')
    .description('list all hosts')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const hosts = await withSender(options, allHosts);
      if (options.json) printJson(room.out, hosts);
      else room.out.write(table(hosts, HOST_COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega host list', "mega host list --json | jq '.[] | select(.online | not) | .id'");
}

const LATEST_TASKS = 5;

function addShow(host: Command, room: Room): void {
  const show = host
    .command('show <host>')
    .description('show a host and its latest tasks')
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, id) => {
      const found = await withSender(options, async (call) => {
        const about = await call<Host>('get_server', { host: id });
        return { ...about, tasks: await call<Task[]>('get_all_task', { host: id, limit: LATEST_TASKS }) };
      });
      if (options.json) printJson(room.out, found);
      else room.out.write(story(found, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega host show db-01');
}

function story(host: Host & { tasks: Task[] }, width: number): string {
  const about = pairs([
    ['host', host.id],
    ['state', stateOf(host)],
    ...cutOffOf(host),
    ['version', host.version],
    ['platform', host.platform],
    ['last seen', moment(host.lastSeenAt)],
    ['registered', moment(host.registeredAt)],
    ['labels', labelsOf(host.labels)],
  ]);
  return host.tasks.length === 0 ? about : `${about}\n${table(host.tasks, TASK_COLUMNS, width)}`;
}

function cutOffOf({ cutOffUntil, cutOffReason }: Host): [name: string, value: string | null][] {
  if (cutOffUntil === null) return [];
  const until = `${cutOffUntil.slice(0, 19).replace('T', ' ')} UTC`;
  return [
    ['cut off', cutOffReason],
    ['until', until],
  ];
}

function addAdd(host: Command, room: Room): void {
  const add = host
    .command('add <host>')
    .description(
      "register a host, and make its agent's home on this machine; again for the same home: a new secret",
    )
    .requiredOption('--home <folder>', "the agent's home")
    .requiredOption('--package <file>', 'the first release, as mega package build makes it')
    .option(
      '--runtime <file>',
      'what the release runs on, as mega package build-runtime makes it (default: the Node.js of this project)',
    )
    .option(
      '--heartbeat-ms <number>',
      'how often the agent says that it is there',
      wholeNumber(200, 3_600_000),
    )
    .option(
      '--reconnect-ms <number>',
      'its longest pause between tries to connect',
      wholeNumber(10, 3_600_000),
    )
    .option(
      '--arbitration-ms <number>',
      'how long after a failed trial it waits for a dispatcher',
      wholeNumber(500, 3_600_000),
    );
  add.action(
    act<AddOptions>(room, async (options, id) => {
      const made = await addHostHere(options, id!);
      if (made.registeredBefore) {
        room.err.write(`mega: ${id} was registered already; its earlier secret is no longer good\n`);
      }
      room.out.write(`${id} is registered and has release ${made.version} in ${made.home.root}\n`);
      room.out.write(`Next: ${quoted(made.home.loader)} start\n`);
      return EXIT.good;
    }),
  );
  example(add, 'mega host add db-01 --home /home/xdba/mega_client --package dist/mega-1.0.0.tar.gz');
}
