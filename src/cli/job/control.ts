import type { Command } from 'commander';
import type { Call } from '../../lib/sender.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { act, example, JSON_FLAG, type Room } from '../world.ts';
import { bound } from './limits.ts';

/** What the dispatcher answers: `changed` is false when it was so before. */
type Controlled = { job: string; state: string; changed: boolean; tasks?: number };
type Options = { json?: true };

const ID = '0198c0de-0000-7000-8000-000000000001';

/** `mega job pause`, `resume`, `approve`, `cancel` and `retry`. */
export function addControls(job: Command, room: Room): void {
  const pause = job
    .command('pause <id>')
    .description('let nothing more of a job start; what is under way goes on')
    .option('--reason <text>', 'why, for whoever looks at it');
  control<{ reason?: string }>(room, pause, (call, id, { reason }) =>
    callSurely(call, 'pause_job', { id, reason }),
  );
  example(pause, `mega job pause ${ID} --reason 'db-07 looks odd'`);

  const resume = job
    .command('resume <id>')
    .description('let a paused job go on; its errors so far are forgiven')
    .option('--max-errors <bound>', 'how many more it bears, from now on', bound);
  control<{ maxErrors?: number | string }>(room, resume, (call, id, { maxErrors }) =>
    callSurely(call, 'resume_job', { id, maxErrors }),
  );
  example(resume, `mega job resume ${ID} --max-errors 5`);

  const approve = job.command('approve <id>').description('let a job go on to its next wave');
  control(room, approve, approveNext);
  example(approve, `mega job approve ${ID}`);

  const cancel = job
    .command('cancel <id>')
    .description('end what has not begun, and ask hosts to stop that are not past the point of no return');
  control(room, cancel, (call, id) => callSurely(call, 'cancel_job', { id }));
  example(cancel, `mega job cancel ${ID}`);

  const retry = job
    .command('retry <id>')
    .description('try a job again on its hosts that failed, within its limits, also when it has ended')
    .requiredOption('--failed', 'only those that failed');
  control(room, retry, (call, id) => callSurely(call, 'retry_job', { id, failed: true }));
  example(retry, `mega job retry ${ID} --failed`);
}

/** Names the wave, so that a question asked twice approves no other one. */
async function approveNext(call: Call, id: string): Promise<Controlled> {
  const { wave } = await call<{ wave: number }>('get_job', { id });
  return callSurely(call, 'approve_job', { id, wave: wave + 1 });
}

function control<O extends object>(
  room: Room,
  command: Command,
  ask: (call: Call, id: string, options: O) => Promise<Controlled>,
): void {
  command.option(...JSON_FLAG);
  command.action(
    act<O & Options>(room, async (options, id) => {
      const answer = await withSender(options, (call) => ask(call, id!, options));
      if (options.json) printJson(room.out, answer);
      else room.out.write(`${told(command.name(), answer)}\n`);
      return EXIT.good;
    }),
  );
}

function told(what: string, { job, state, changed, tasks }: Controlled): string {
  if (what === 'approve') return `job ${job}: the next wave is approved`;
  if (what !== 'retry') return `job ${job} is ${changed ? '' : 'already '}${state}`;
  if (!tasks) return `job ${job} has no host that failed`;
  const hosts = `${tasks} ${tasks === 1 ? 'host is' : 'hosts are'} tried again`;
  return state === 'paused'
    ? `job ${job}: ${hosts} once it goes on: mega job resume ${job}`
    : `job ${job}: ${hosts}`;
}
