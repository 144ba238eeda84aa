import type { Command } from 'commander';
import type { Package } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { ago, clean } from '../text.ts';
import { act, example, JSON_FLAG, type Output, type Room } from '../world.ts';

type Stopped = { name: string; reason: string; paused: string[] };
type Released = { name: string; released: boolean; paused: string[] };

/** `mega package quarantine` and `release`: a version that no host is to be sent to for now. */
export function addQuarantine(group: Command, room: Room): void {
  const quarantine = group
    .command('quarantine <version>')
    .description('stop a version for the whole fleet: its jobs pause, and no host is sent to it')
    .requiredOption('--reason <text>', 'why; whoever orders the version is told')
    .option(...JSON_FLAG);
  quarantine.action(
    act<{ reason: string; json?: true }>(room, async (options, name) => {
      const args = { name, reason: options.reason };
      const stopped = await withSender(options, (call) =>
        callSurely<Stopped>(call, 'quarantine_package', args),
      );
      if (options.json) printJson(room.out, stopped);
      else {
        room.out.write(clean(`${stopped.name} is in quarantine: ${stopped.reason}`));
        room.out.write(`\n${jobLines(stopped.paused, () => 'is paused for it')}`);
      }
      return EXIT.good;
    }),
  );
  example(quarantine, "mega package quarantine 1.4.0 --reason 'loses its connections to MySQL'");
  addRelease(group, room);
}

function addRelease(group: Command, room: Room): void {
  const release = group
    .command('release <version>')
    .description('end the quarantine of a version; jobs that it has paused go on when they are resumed')
    .option(...JSON_FLAG);
  release.action(
    act<{ json?: true }>(room, async (options, name) => {
      const { released, paused } = await withSender(options, (call) =>
        callSurely<Released>(call, 'release_package', { name }),
      );
      if (options.json) printJson(room.out, { name, released, paused });
      else {
        room.out.write(
          `${name} ${released ? 'is released: it may be ordered again' : 'is not in quarantine'}\n`,
        );
        room.out.write(jobLines(paused, (id) => `stays paused until: mega job resume ${id}`));
      }
      return EXIT.good;
    }),
  );
  example(release, 'mega package release 1.4.0');
}

/** Below the list: why versions are in quarantine, and what ends it. */
export function tellQuarantines(out: Output, packages: Package[]): void {
  for (const { name, quarantinedAt, quarantineReason } of packages) {
    if (quarantinedAt === null) continue;
    const remedy = `it ends with: mega package release ${name}`;
    out.write(
      `\n${clean(`${name} was quarantined ${ago(quarantinedAt)}: ${quarantineReason}; ${remedy}`)}\n`,
    );
  }
}

const jobLines = (jobs: string[], what: (id: string) => string) =>
  jobs.map((id) => `job ${id} ${what(id)}\n`).join('');
