import { type Command, InvalidArgumentError } from 'commander';
import type { Call } from '../../lib/sender.ts';
import { duration } from '../duration.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { type HostsOptions, hostsOf, mayTakeHosts } from '../targets.ts';
import { clean, count, instantOf, moment } from '../text.ts';
import { act, example, type Room } from '../world.ts';

type End = { until: string } | { forMs: number };
type HoldOptions = HostsOptions & { reason: string; until?: End };

/** `mega host hold` and `unhold`: keeping hosts out. */
export function addHold(host: Command, room: Room): void {
  const hold = host
    .command('hold [hosts...]')
    .description('let hosts get no order but a ping; their tasks wait, what has begun goes on')
    .requiredOption('--reason <text>', 'why; whoever looks at the host reads it')
    .option(
      '--until <time>',
      'when it ends by itself: 8h, or 2026-12-01T02:00 (UTC, or with an offset)',
      endOf,
    );
  mayTakeHosts(hold).action(
    act<HoldOptions, [string[]]>(room, async (options, named) => {
      const { reason, until: end } = options;
      const on = await hostsOf(options, named);
      const { hosts } = await withSender(options, (call) => {
        return callSurely<{ hosts: number }>(call, 'hold_server', { on, reason, ...end });
      });
      room.out.write(`${count(hosts, 'host')} held ${untilOf(end)}\n`);
      return EXIT.good;
    }),
  );
  example(
    hold,
    "mega host hold db-01 --reason 'moving house' --until 8h",
    "mega host hold --on dc=hz --reason 'power work'",
  );
  addUnhold(host, room);
}

function addUnhold(host: Command, room: Room): void {
  const unhold = host
    .command('unhold [hosts...]')
    .description('end the hold of hosts; one that its owner holds (etc/hold) stays held');
  mayTakeHosts(unhold).action(
    act<HostsOptions, [string[]]>(room, async (options, named) => {
      const on = await hostsOf(options, named);
      const told = await withSender(options, (call) => release(call, on));
      room.out.write(`${count(told.hosts, 'host')}, ${told.released} of them no longer held\n`);
      for (const { host: id, reason } of told.held) {
        room.err.write(
          `mega: ${id} is held by its owner, who has to remove its file etc/hold: ${clean(reason)}\n`,
        );
      }
      return EXIT.good;
    }),
  );
  example(unhold, 'mega host unhold db-01', 'mega host unhold --on status=held');
}

type Released = { hosts: number; released: number; held: { host: string; reason: string }[] };
const release = (call: Call, on: string[]) => callSurely<Released>(call, 'unhold_server', { on });

function untilOf(end: End | undefined): string {
  if (!end) return 'until mega host unhold';
  return `until ${moment('until' in end ? end.until : new Date(Date.now() + end.forMs).toISOString())}`;
}

/** As the dispatcher's clock is to count it, or as the calendar says. */
function endOf(text: string): End {
  if (/^\d+[smhd]$/.test(text)) return { forMs: duration(text) };
  const until = instantOf(text);
  if (until !== undefined) return { until };
  throw new InvalidArgumentError('It must be a duration such as 8h, or a time such as 2026-12-01T02:00.');
}
