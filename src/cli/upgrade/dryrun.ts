import type { Limits } from '../../lib/limits.ts';
import type { Call } from '../../lib/sender.ts';
import { formatDuration } from '../../lib/utils.ts';
import { EXIT } from '../exit.ts';
import { follow } from '../job/follow.ts';
import { callSurely, tasksOf } from '../session.ts';
import { type Column, printJson, table, widthOf } from '../table.ts';
import type { Room } from '../world.ts';
import { estimate, type Forecast, forecastOf, isTrouble, type Would } from './forecast.ts';

type Check = {
  job: string;
  to: string;
  limits: Limits | null;
  earlier: { hosts: number; medianMs: number } | null;
};

/** Asks the hosts what the upgrade would do, and prints it host by host. */
export async function dryRun(
  room: Room,
  call: Call,
  request: object,
  options: { json?: true },
): Promise<number> {
  const signal = room.interrupt();
  const check = await callSurely<Check>(call, 'check_upgrade', request);
  const onTrouble = (text: string) => room.err.write(`mega: ${text}\n`);
  for await (const _ of follow(call, check.job, { signal, tasks: false, onTrouble })); // to its end
  const forecasts = (await tasksOf(call, check.job, Number.POSITIVE_INFINITY)).map(forecastOf);
  if (options.json) printJson(room.out, { ...check, hosts: forecasts, estimate: timeOf(check, forecasts) });
  else room.out.write(`${table(forecasts, COLUMNS, widthOf(room.out))}\n${summaryOf(check, forecasts)}\n`);
  return forecasts.some(isTrouble) ? EXIT.failed : EXIT.good;
}

const COLUMNS: Column<Forecast>[] = [
  { title: 'HOST', cell: (one) => one.host },
  { title: 'WAVE', cell: (one) => (one.would === 'nothing' ? '-' : String(one.wave)), right: true },
  { title: 'RUNS', cell: (one) => one.from ?? '-' },
  { title: 'WOULD', cell: (one) => one.would },
  { title: 'REASON', cell: (one) => one.reason ?? '', shrinks: true },
];

const WORDS: Record<Would, string> = {
  upgrade: 'would be upgraded',
  nothing: 'need nothing',
  wait: 'would wait',
  postpone: 'would postpone it',
  refuse: 'would refuse',
  unknown: 'cannot say',
  silent: 'did not answer',
};

const timeOf = ({ earlier, limits }: Check, forecasts: Forecast[]) =>
  earlier && estimate(forecasts, limits, earlier.medianMs);

/** `to 1.1.0: 3 would be upgraded, 1 would refuse; nothing was changed` and how long it would take. */
function summaryOf(check: Check, forecasts: Forecast[]): string {
  const counts = Map.groupBy(forecasts, (one) => one.would);
  const words = Object.entries(WORDS) as [Would, string][];
  const told = words.flatMap(([would, word]) => {
    const count = counts.get(would)?.length ?? 0;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  return `to ${check.to}: ${told.join(', ') || 'no hosts'}; nothing was changed\n${timeTold(check, forecasts)}`;
}

function timeTold(check: Check, forecasts: Forecast[]): string {
  const time = timeOf(check, forecasts);
  if (!time || !check.earlier) return 'how long it takes cannot be said: no host was upgraded before';
  const { hosts, medianMs } = check.earlier;
  const pauses = time.pausesMs > 0 ? `, ${formatDuration(time.pausesMs)} of it pauses` : '';
  const approvals = time.approvals > 0 ? `, and ${time.approvals} times until it is approved` : '';
  const measured = `${hosts === 1 ? 'the one earlier upgrade' : `${hosts} earlier upgrades`} took ${formatDuration(medianMs)}`;
  return `it takes about ${formatDuration(time.ms)}${pauses}${approvals} (${measured}, in the middle)`;
}
