import type { Command } from 'commander';
import type { Host } from './answers.ts';
import { EXIT } from './exit.ts';
import { type AddOptions, addHostHere } from './host/add.ts';
import { addConfig } from './host/config.ts';
import { addExport } from './host/export.ts';
import { addFacts } from './host/facts.ts';
import { addHold } from './host/hold.ts';
import { addImport } from './host/import.ts';
import { addLabel } from './host/label.ts';
import { addLogs } from './host/logs.ts';
import { addRestart } from './host/restart.ts';
import { addRotate } from './host/rotate.ts';
import { addShow, stateOf } from './host/show.ts';
import { allHosts, withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from './targets.ts';
import { ago, quoted } from './text.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega host`: the machines of the fleet. */
export function addHost(program: Command, room: Room): void {
  const host = program.command('host').description('hosts: the machines of the fleet');
  example(host, 'mega host list', 'mega host show db-01');
  addList(host, room);
  addShow(host, room);
  addLabel(host, room);
  addHold(host, room);
  addExport(host, room);
  addImport(host, room);
  addAdd(host, room);
  addRotate(host, room);
  for (const add of [addFacts, addRestart, addLogs, addConfig]) add(host, room);
  addRemove(host, room);
  addRelease(host, room);
}

function addRemove(host: Command, room: Room): void {
  const remove = host
    .command('remove <host>')
    .description('remove a host: its user and queue in the broker; its tasks stay as history');
  remove.action(
    act(room, async (options, id) => {
      const args = { host: id };
      const { wasOnline } = await withSender(options, (call) => {
        return call<{ wasOnline: boolean }>('del_server', args);
      });
      const closed = 'the broker has closed its connection and lets it in no more; stop its agent';
      room.out.write(`${id} is removed: ${wasOnline ? closed : 'the broker lets it in no more'}\n`);
      return EXIT.good;
    }),
  );
  example(remove, 'mega host remove db-01');
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
    .description('list all hosts, or those that --on means')
    .option(...JSON_FLAG);
  mayTakeHosts(list).action(
    act<HostsOptions & { json?: true }>(room, async (options) => {
      const on = options.on && (await hostsOf(options));
      const hosts = await withSender(options, (call) => allHosts(call, on));
      if (options.json) printJson(room.out, hosts);
      else room.out.write(table(hosts, HOST_COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(
    list,
    'mega host list',
    "mega host list --on 'db-*' --on '!role=primary'",
    "mega host list --on status=away --json | jq '.[].id'",
  );
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
