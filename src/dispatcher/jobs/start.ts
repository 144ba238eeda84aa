import type { Queryable } from '../../lib/conn.ts';
import { type Limits, noLimits, saysNothing, waveSizes } from '../../lib/limits.ts';
import { uuidv7 } from '../../lib/utils.ts';
import type { Context } from '../context.ts';
import type { HostRow } from '../store/hosts.ts';
import { addJob, type NewTask } from '../store/jobs.ts';
import { targetText } from '../targets.ts';
import { type Kept, keepsWindows, windowsOf } from '../windows.ts';

export type Asked = { by: string; key: string };

/** A task for a host, before it is known in which wave its host comes. */
export type Planned = Omit<NewTask, 'wave'> & {
  /** The host could begin now, so that a wave of it tells something. */
  online: boolean;
};

export const isThere = ({ online, hold, ownerHold }: HostRow) =>
  online && hold === null && ownerHold === null;

export type JobPlan = {
  type: string;
  args: object;
  on: string[];
  tasks: Planned[];
  /** How long one task may run, and how long its host may be away, where the limits do not say otherwise. */
  timeoutMs: number;
  deadlineMs?: number;
  limits?: Limits | undefined;
  /** In the transaction that makes the job: whether it may be made; throws where not. */
  check?: (db: Queryable) => Promise<void>;
};

/** The one way in which jobs are made; the same call asked again finds the same job. */
export async function startJob(context: Context, plan: JobPlan, { by, key }: Asked): Promise<string> {
  const { type, args, on } = plan;
  const { db, config, driver } = context;
  const planned = keepsWindows(type) ? withWindows(plan.tasks, await windowsOf(db, plan.tasks)) : plan.tasks;
  const limits = limitsFor(plan.limits, planned);
  const waves = limits && waveSizes(limits.waves, toTouch(planned));
  const job = {
    ...{ id: uuidv7(), type, args, target: targetText(on), by, callKey: `${by}:${key}` },
    timeoutMs: plan.limits?.timeoutMs ?? plan.timeoutMs,
    deadlineMs: plan.limits?.deadlineMs ?? plan.deadlineMs ?? config.taskDeadlineMs,
    tasks: inWaves(planned, waves ?? []),
    driven: limits && waves && { limits, waves },
  };
  const id = await db.transaction(async (tx) => {
    await plan.check?.(tx);
    return addJob(tx, job);
  });
  if (job.driven) driver.note(id);
  return id;
}

/** What a driver is to keep to; undefined for a job all of whose tasks may be sent as soon as they are there. */
function limitsFor(limits: Limits | undefined, tasks: Planned[]): Limits | undefined {
  if (limits !== undefined && !saysNothing(limits)) return limits;
  return tasks.some(({ windows }) => windows) ? (limits ?? noLimits()) : undefined;
}

/** A host whose windows are closed tells as little for now as one that is away. */
function withWindows(tasks: Planned[], windows: Map<string, Kept>): Planned[] {
  return tasks.map((task) => {
    const { names, open } = windows.get(task.host) ?? { names: null, open: true };
    return { ...task, windows: names, online: task.online && open };
  });
}

const toTouch = (tasks: Planned[]) => tasks.filter((task) => task.state === 'pending').length;

/**
 * Each task in its wave. Hosts that are there, and may begin now, come first: a canary that is away would tell nothing and keep all others
 * waiting. What need not be touched proves nothing, so it takes no place in a wave; it stands with the last.
 */
export function inWaves(tasks: Planned[], sizes: number[]): NewTask[] {
  const touched = tasks.filter((task) => task.state === 'pending');
  const order = [
    ...touched.filter((task) => task.online),
    ...touched.filter((task) => !task.online),
    ...tasks.filter((task) => task.state !== 'pending'),
  ];
  const waves = sizes.flatMap((size, i) => new Array<number>(size).fill(i + 1));
  return order.map(({ online: _, ...task }, i) => ({ ...task, wave: waves[i] ?? Math.max(1, sizes.length) }));
}
