import type { ErrorCount, JobRow } from '../store/jobs.ts';

/** How jobs are told to people. */

/** `job <id> (client_upgrade to 1.1.0 on all)` */
export function nameOf({ id, type, args, target }: Pick<JobRow, 'id' | 'type' | 'args' | 'target'>): string {
  const to = typeof args.to === 'string' ? ` to ${args.to}` : '';
  const on = target.length <= MOST_TOLD ? target : `${target.slice(0, MOST_TOLD)}...`;
  return `job ${id} (${type}${to} on ${on})`;
}

const MOST_TOLD = 200;

/** `2 failed, 1 rolled back` */
export function toldErrors(errors: ErrorCount[]): string {
  const counting = errors.map(({ kind, n, forgiven }) => `${n - forgiven} ${kind.replaceAll('_', ' ')}`);
  return counting.join(', ');
}
