import type { Command } from 'commander';
import { EXIT } from './exit.ts';
import { callSurely, withSender } from './session.ts';
import { printJson } from './table.ts';
import { clean, moment } from './text.ts';
import { act, example, JSON_FLAG, type Room } from './world.ts';

type Answer = { changed: boolean };
/** As `get_freeze` tells it. */
export type Freeze = { frozen: boolean; reason?: string; by?: string; at?: string };

/** The line that says so; nothing when nothing is frozen. */
export function frozenLine({ frozen, reason, by, at }: Freeze): string {
  if (!frozen) return '';
  return `${clean(`all is frozen by ${by} since ${moment(at ?? null)}: ${reason}; mega unfreeze ends that`)}\n`;
}

/** `mega freeze` and `mega unfreeze`: everything stops, and goes on. */
export function addFreeze(program: Command, room: Room): void {
  const freeze = program
    .command('freeze')
    .description('send nothing but pings to any host until mega unfreeze; what is under way goes on')
    .requiredOption('--reason <text>', 'why, for whoever finds everything standing still')
    .option(...JSON_FLAG);
  freeze.action(
    act<{ reason: string; json?: true }>(room, async (options) => {
      const { reason } = options;
      const answer = await withSender(options, (call) => callSurely<Answer>(call, 'freeze', { reason }));
      if (options.json) printJson(room.out, answer);
      else
        room.out.write(
          answer.changed ? 'all is frozen; mega unfreeze ends that\n' : 'all was frozen before\n',
        );
      return EXIT.good;
    }),
  );
  example(freeze, "mega freeze --reason 'the storage is being moved'");

  const unfreeze = program
    .command('unfreeze')
    .description('end a freeze: all goes on where it was')
    .option(...JSON_FLAG);
  unfreeze.action(
    act<{ json?: true }>(room, async (options) => {
      const answer = await withSender(options, (call) => callSurely<Answer>(call, 'unfreeze', {}));
      if (options.json) printJson(room.out, answer);
      else room.out.write(answer.changed ? 'all goes on\n' : 'nothing was frozen\n');
      return EXIT.good;
    }),
  );
  example(unfreeze, 'mega unfreeze');
}
