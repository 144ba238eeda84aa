import type { Task } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { callSurely, withSender } from '../session.ts';
import { printJson } from '../table.ts';
import { clean } from '../text.ts';
import type { Globals, Room } from '../world.ts';
import { watchEnds } from './ends.ts';
import { summaryOf } from './words.ts';

/**
 * Has hosts do something, and shows what each has answered. `told` makes a text of a good answer; with `json` all tasks
 * are one document.
 */
export async function askHosts(
  room: Room,
  options: Globals & { json?: true },
  { fn, args }: { fn: string; args: object },
  told: (output: Record<string, unknown>, host: string) => string,
): Promise<number> {
  return withSender(options, async (call) => {
    const { job } = await callSurely<{ job: string }>(call, fn, args);
    const tasks: Task[] = [];
    const ended = await watchEnds(room, call, job, (task) => {
      tasks.push(task);
      if (options.json) return;
      const { host, state, reason, output } = task;
      if (state === 'succeeded') room.out.write(told(output ?? {}, host));
      else room.out.write(`${host}: ${state}: ${clean(reason ?? 'no reason is known')}\n`);
    });
    if (!ended) return EXIT.interrupted;
    if (options.json) printJson(room.out, { ...ended, tasks });
    else room.err.write(`mega: ${clean(summaryOf(ended))}\n`);
    return ended.state === 'succeeded' ? EXIT.good : EXIT.failed;
  });
}
