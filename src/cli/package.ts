import type { Command } from 'commander';
import { formatSize } from '../lib/utils.ts';
import type { Package } from './answers.ts';
import { EXIT } from './exit.ts';
import { publishPackage } from './package/publish.ts';
import { withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { ago } from './text.ts';
import { act, collect, example, JSON_FLAG, type Room } from './world.ts';

/** `mega package`: what hosts are upgraded to. */
export function addPackage(program: Command, room: Room): void {
  const group = program
    .command('package')
    .description('packages: versions of the agent, to be built and published');
  example(group, 'mega package build --version 1.1.0', 'mega package publish dist/mega-1.1.0.tar.gz');
  addBuild(group, room);

  const publish = group
    .command('publish <file>')
    .description('publish a package, so that hosts can be upgraded to it');
  publish.action(
    act(room, async (options, file) => {
      const { version, size, already } = await withSender(options, (call) =>
        publishPackage(call, file!, room.err),
      );
      const what = already ? 'is published already' : `is published (${formatSize(size)})`;
      room.out.write(`mega ${version} ${what}\nNext: mega upgrade --to ${version} --on all\n`);
      return EXIT.good;
    }),
  );
  example(publish, 'mega package publish dist/mega-1.1.0.tar.gz');

  const list = group
    .command('list')
    .description('list the packages, oldest first')
    .option(...JSON_FLAG);
  list.action(
    act<{ json?: true }>(room, async (options) => {
      const all = await withSender(options, (call) => call<Package[]>('get_all_package'));
      if (options.json) printJson(room.out, all);
      else room.out.write(table(all, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega package list');
}

const COLUMNS: Column<Package>[] = [
  { title: 'VERSION', cell: (one) => one.version },
  { title: 'STATE', cell: (one) => one.state },
  { title: 'SIZE', cell: (one) => formatSize(one.size), right: true },
  { title: 'SHA256', cell: (one) => one.sha256.slice(0, 12) },
  { title: 'PUBLISHED', cell: (one) => ago(one.createdAt), right: true },
  { title: 'BY', cell: (one) => one.createdBy, shrinks: true },
];

type BuildOptions = { version: string; out: string; platform?: string[] };

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
    );
  build.action(
    act<BuildOptions>(room, async ({ version, out, platform }) => {
      const { buildPackage } = await import('./package/build.ts'); // esbuild is loaded by those who build
      room.out.write(
        `${await buildPackage({ version, out, ...(platform ? { platforms: platform } : {}) })}\n`,
      );
      return EXIT.good;
    }),
  );
  example(build, 'mega package build --version 1.1.0');
}
