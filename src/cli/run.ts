import type { Command } from 'commander';
import { SCRIPT_TYPES } from '../lib/orders.ts';
import type { Call } from '../lib/sender.ts';
import type { Task } from './answers.ts';
import { EXIT } from './exit.ts';
import { watchEnds } from './job/ends.ts';
import { addLimitOptions, type LimitOptions, limitsOf } from './job/limits.ts';
import { tellHowToGoOn } from './job/watch.ts';
import { summaryOf } from './job/words.ts';
import { endOf, outputLines, summaryByEnd } from './run/show.ts';
import { stdinOf } from './run/stdin.ts';
import { callSurely, withSender } from './session.ts';
import { widthOf } from './table.ts';
import { type HostsOptions, hostsOf, hostsOption } from './targets.ts';
import { plain } from './text.ts';
import { act, choice, example, type Room, size, wholeNumber } from './world.ts';

type RunOptions = HostsOptions &
  LimitOptions & {
    shell?: string;
    type?: string;
    release?: string;
    stdin?: string;
    grace?: number;
    keep?: number;
    memory?: number;
    cpu?: number;
    watch: boolean;
    json?: true;
  };

/** `mega run`: a script on many hosts, its output by host, and a summary by exit code. */
export function addRun(program: Command, room: Room): void {
  const run = program
    .command('run')
    .description("run a script of the hosts' script folder; words after -- are its arguments")
    .argument('[script]', 'its name there, such as backup.sh or mysql/backup.sh')
    .argument('[args...]', 'its arguments, passed as they are')
    .option('--shell <text>', 'run this text by /bin/sh instead, on hosts that allow it')
    .option('--type <type>', `${SCRIPT_TYPES.join(', ')} (default: by its ending)`, choice(SCRIPT_TYPES))
    .option('--release <version>', 'of the scripts that this release has brought')
    .option('--stdin <file>', 'a file that it reads as standard input; - is ours')
    .option('--grace <seconds>', 'between TERM and KILL at its limit', wholeNumber(0, 60))
    .option('--keep <size>', 'how much of head and tail to keep, such as 16K', size(0, 64 << 10))
    .option('--memory <size>', 'what each of its processes may have, such as 512M', size(1 << 20, 2 ** 44))
    .option('--cpu <seconds>', 'time on a processor for each of its processes', wholeNumber(1, 2_592_000))
    .option('--watch', 'watch until all have ended (the default)', true)
    .option('--no-watch', 'only make the job')
    .option('--json', 'print a JSON object in a line for each host');
  hostsOption(addLimitOptions(run)).action(
    act<RunOptions>(room, async (options, ...words) => {
      const request = await runRequest(options, words);
      return withSender(options, (call) => start(room, call, request, options));
    }),
  );
  example(run, "mega run backup.sh --on 'role=replica' -- --full", "mega run --shell 'df -h' --on db-01");
}

/** What the dispatcher's `remote_cmd` takes. */
export async function runRequest(options: RunOptions, given: unknown[]): Promise<object> {
  const words = given.flat().filter((word) => typeof word === 'string');
  const { shell, type, release, grace, keep: keepBytes, memory: memoryBytes, cpu: cpuSeconds } = options;
  const [script, ...args] = shell === undefined ? words : [undefined, ...words];
  const stdin = await stdinOf(options.stdin);
  const graceMs = grace === undefined ? undefined : grace * 1000;
  const what = { script, shell, type, release, args, stdin, graceMs, keepBytes, memoryBytes, cpuSeconds };
  return { ...what, on: await hostsOf(options), limits: limitsOf(options) }; // JSON drops what was not given
}

async function start(room: Room, call: Call, request: object, options: RunOptions): Promise<number> {
  const { job } = await callSurely<{ job: string }>(call, 'remote_cmd', request);
  const json = (value: object) => room.out.write(`${plain(JSON.stringify(value))}\n`);
  if (!options.watch) {
    if (options.json) json({ job });
    else room.out.write(`job ${job}\n`);
    tellHowToGoOn(room.err, job);
    return EXIT.good;
  }
  const tasks: Task[] = [];
  const ended = await watchEnds(room, call, job, (task) => {
    tasks.push(task);
    if (options.json) json(endOf(task));
    else room.out.write(outputLines(task));
  });
  if (!ended) return EXIT.interrupted;
  if (!options.json) {
    room.out.write(`${summaryByEnd(tasks, widthOf(room.out))}${plain(summaryOf(ended))}\n`);
  }
  return ended.state === 'succeeded' ? EXIT.good : EXIT.failed;
}
