import type { Queryable } from '../../lib/conn.ts';
import { noLimits } from '../../lib/limits.ts';
import type { Context } from '../context.ts';
import { type ControlledJob, setDriven } from '../store/controls.ts';
import { setPaused } from '../store/steps.ts';

/** Nothing new of it starts. The caller's transaction holds the job, which runs. */
export async function pauseLocked(
  { config }: Pick<Context, 'config'>,
  db: Queryable,
  job: ControlledJob,
  reason: string,
): Promise<void> {
  const { id, driven, deadlineMs } = job;
  if (!driven) await setDriven(db, id, { ...noLimits(), deadlineMs });
  await setPaused(db, id, reason, Math.max(config.taskDeadlineMs, deadlineMs));
}
