import type { Command } from 'commander';
import type { Call } from '../../lib/sender.ts';
import type { AuditedCall, JobWithCounts, Task } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { printJson, widthOf } from '../table.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';
import { statesOf, UNANSWERED } from './states.ts';
import { MOST_HOSTS, type Story, storyOf } from './story.ts';

/** `mega job show`: all that is known of one job. */
export function addShow(job: Command, room: Room): void {
  const show = job
    .command('show <id>')
    .description(
      'show a job: limits and waves, who did what with it, where it did not succeed, and who did not answer',
    )
    .option(...JSON_FLAG);
  show.action(
    act<{ json?: true }>(room, async (options, id) => {
      const found = await withSender(options, (call) => lookInto(call, id!));
      const { job, ...more } = found;
      if (options.json) printJson(room.out, { ...job, ...more });
      else room.out.write(storyOf(found, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(show, 'mega job show 0198c0de-0000-7000-8000-000000000001');
}

const MOST_ACTS = 50;
const ANSWERED = statesOf('bad', 'cancelled').filter((state) => !UNANSWERED.includes(state));

async function lookInto(call: Call, id: string): Promise<Story> {
  const job = await call<JobWithCounts>('get_job', { id, times: true });
  const tasks = (which: object) => call<Task[]>('get_all_task', { job: id, limit: MOST_HOSTS + 1, ...which });
  const acts = await call<AuditedCall[]>('get_all_audit', { job: id, limit: MOST_ACTS });
  return {
    job,
    failed: await tasks({ states: ANSWERED }),
    silent: await tasks({ only: 'silent' }),
    retried: await tasks({ only: 'retried' }),
    acts: acts.toReversed(),
  };
}
