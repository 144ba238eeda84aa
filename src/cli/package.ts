import type { Command } from 'commander';
import { formatSize } from '../lib/utils.ts';
import type { Package } from './answers.ts';
import { EXIT } from './exit.ts';
import type { InstallerOptions } from './package/installer.ts';
import { addMinimum } from './package/minimum.ts';
import { addPublish } from './package/publish.ts';
import { addQuarantine, tellQuarantines } from './package/quarantine.ts';
import { addRemove } from './package/remove.ts';
import { buildRuntime, type RuntimeOptions } from './package/runtime.ts';
import { ownVersion } from './root.ts';
import { withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { ago } from './text.ts';
import { act, collect, example, JSON_FLAG, type Room } from './world.ts';

/** `mega package`: what hosts are upgraded to, and what it runs on. */
export function addPackage(program: Command, room: Room): void {
  const group = program
    .command('package')
    .description('packages: versions of the agent and the runtimes they need, to be built and published');
  example(group, 'mega package build --version 1.1.0', 'mega package publish dist/mega-1.1.0.tar.gz');
  addBuild(group, room);
  addBuildRuntime(group, room);
  addInstaller(group, room);
  addPublish(group, room);

  const list = group
    .command('list')
    .description('list the packages, oldest first')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const all = await withSender(options, (call) => call<Package[]>('get_all_package'));
      if (options.json) printJson(room.out, all);
      else {
        room.out.write(table(all, COLUMNS, widthOf(room.out)));
        tellQuarantines(room.out, all);
      }
      return EXIT.good;
    }),
  );
  example(list, 'mega package list');
  addRemove(group, room);
  addMinimum(group, room);
  addQuarantine(group, room);
}

const COLUMNS: Column<Package>[] = [
  { title: 'NAME', cell: (one) => one.name },
  { title: 'KIND', cell: (one) => one.kind },
  { title: 'STATE', cell: (one) => (one.quarantinedAt === null ? one.state : 'quarantined') },
  { title: 'SIGNED', cell: (one) => (one.signed ? 'yes' : 'no') },
  { title: 'SIZE', cell: (one) => formatSize(one.size), right: true },
  { title: 'SHA256', cell: (one) => one.sha256.slice(0, 12) },
  { title: 'PUBLISHED', cell: (one) => ago(one.createdAt), right: true },
  { title: 'BY', cell: (one) => one.createdBy, shrinks: true },
];

type BuildOptions = {
  version: string;
  out: string;
  platform?: string[];
  runtime?: string;
  tasks?: string;
  scripts?: string;
};

function addBuild(group: Command, room: Room): void {
  const build = group
    .command('build')
    .description('build a package of this project and print its path; the same sources give the same bytes')
    .requiredOption('--version <version>', 'the version it is to bear, such as 1.1.0')
    .option('--out <folder>', 'where to write mega-<version>.tar.gz', 'dist')
    .option(
      '--platform <name>',
      'what it is for; may be given again (default: linux-x64 and linux-arm64)',
      collect,
    )
    .option('--runtime <name>', 'the Node.js that it runs on, such as node-24.21.0 (default: the pinned one)')
    .option('--tasks <folder>', 'tasks of your own that it brings along, a file for each')
    .option('--scripts <folder>', 'scripts that it brings along');
  build.action(
    act<BuildOptions>(room, async ({ version, out, platform, runtime, tasks, scripts }) => {
      const { buildPackage } = await import('./package/build.ts'); // esbuild is loaded by those who build
      const chosen = {
        ...(platform ? { platforms: platform } : {}),
        ...(runtime ? { runtime } : {}),
        ...(tasks ? { tasks } : {}),
        ...(scripts ? { scripts } : {}),
      };
      room.out.write(`${await buildPackage({ version, out, ...chosen })}\n`);
      return EXIT.good;
    }),
  );
  example(
    build,
    'mega package build --version 1.1.0',
    'mega package build --version 1.1.1 --runtime node-24.22.0',
  );
}

function addBuildRuntime(group: Command, room: Room): void {
  const build = group
    .command('build-runtime')
    .description('pack a Node.js as a runtime, for hosts that lack it, and print its path')
    .option('--platform <name>', "what it is for (default: this machine's, such as linux-x64)")
    .option('--node <file>', 'a Node.js for this machine (default: the pinned one of the platform)')
    .option('--out <folder>', 'where to write node-<version>-<platform>.tar.gz', 'dist');
  build.action(
    act<RuntimeOptions>(room, async (options) => {
      room.out.write(`${await buildRuntime(options, room.err)}\n`);
      return EXIT.good;
    }),
  );
  example(
    build,
    'mega package build-runtime',
    'mega package build-runtime --node /opt/node-24.22.0/bin/node',
  );
}

function addInstaller(group: Command, room: Room): void {
  const build = group
    .command('installer')
    .description(
      'make the one file that is carried to a new host, with a release and its Node.js; print its path',
    )
    .option('--version <version>', 'the release', ownVersion())
    .option(
      '--runtime <name>',
      'the Node.js that it runs on, such as node-24.21.0 (default: as the release says)',
    )
    .option('--platform <name>', "what the host is (default: this machine's, such as linux-x64)")
    .option('--out <folder>', 'where the packages are or come, and the installer comes', 'dist');
  build.action(
    act<InstallerOptions>(room, async (options) => {
      const { buildInstaller } = await import('./package/installer.ts');
      room.out.write(`${await buildInstaller(options, room.err)}\n`);
      return EXIT.good;
    }),
  );
  example(build, 'mega package installer --version 1.1.0');
}
