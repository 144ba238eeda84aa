import type { Limits } from '../../lib/limits.ts';
import { waveSizes } from '../../lib/limits.ts';
import { uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import { upgradeTimes } from '../store/durations.ts';
import { allHosts, type HostRow } from '../store/hosts.ts';
import { addJob, type NewTask } from '../store/jobs.ts';
import { targetText } from '../targets.ts';
import { type Asked, inWaves } from './start.ts';
import { planOf, type UpgradeRequest } from './upgrade.ts';

/** The owner's own checks may take a minute each. */
const TIMEOUT_MS = 180_000;
/** Hosts that are there take it at once. */
const DEADLINE_MS = 30_000;

export type Check = {
  job: string;
  to: string;
  limits: Limits | null;
  earlier: { hosts: number; medianMs: number } | null;
};

/**
 * Asks the hosts of an upgrade what it would do: those that are there, each in the wave in which it would come. The others
 * are told as skipped, with the reason in `args.instead`.
 */
export async function startCheck(
  context: Context,
  request: UpgradeRequest,
  { by, key }: Asked,
): Promise<Check> {
  const { args, on, tasks, limits } = await planOf(context, request);
  const touched = tasks.filter((task) => task.state === 'pending').length;
  const inOrder = inWaves(tasks, waveSizes(limits?.waves, touched));
  const hosts = new Map((await allHosts(context.db)).map((host) => [host.id, host]));
  const job = await context.db.transaction((tx) =>
    addJob(tx, {
      ...{ id: uuidv7(), type: 'check_upgrade', args, target: targetText(on), by, callKey: `${by}:${key}` },
      ...{ timeoutMs: TIMEOUT_MS, deadlineMs: DEADLINE_MS },
      tasks: inOrder.map((task) => ({ ...task, ...insteadOf(task, hosts.get(task.host)) })),
    }),
  );
  return { job, to: args.to, limits: limits ?? null, earlier: await earlier(context) };
}

/** Of a host that is not asked: what takes the place of the order, and why. */
function insteadOf({ state, args, reason }: NewTask, host: HostRow | undefined) {
  const skipped = (instead: string, why: string | null) => {
    return { state: 'skipped' as const, args: { instead }, reason: why };
  };
  if (state === 'skipped') return skipped('nothing', reason);
  const held = holdOf(host);
  if (held) return skipped('held', `is held ${held}`);
  if (!host?.online) return skipped('away', 'is away: it would be upgraded when it is back');
  return { state, args, reason };
}

function holdOf(host: HostRow | undefined): string | undefined {
  if (host?.ownerHold) return `by its owner: ${host.ownerHold}`;
  return host?.hold ? `by ${host.hold.by}: ${host.hold.reason}` : undefined;
}

async function earlier({ db }: Context): Promise<Check['earlier']> {
  const times = (await upgradeTimes(db)).toSorted((a, b) => a - b);
  const medianMs = times[Math.floor(times.length / 2)];
  return medianMs === undefined ? null : { hosts: times.length, medianMs };
}
