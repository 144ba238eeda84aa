import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../../src/agent/journal.ts';
import { discard, switchOver, tidy } from '../../../src/agent/upgrade/stage.ts';
import { closeTrial, forgetFailedTrial } from '../../../src/agent/upgrade/trial.ts';
import { linkDurably, removeDurably, renameDurably, writeDurably } from '../../../src/lib/files.ts';
import { homeAt } from '../../../src/lib/home.ts';
import { stageRelease } from '../../../src/lib/release.ts';
import { stageRuntime, sweepRuntimes } from '../../../src/lib/runtime.ts';
import { idOf, orderOf, TASK, upgrade } from './orders.ts';

/**
 * What the agent does at one moment of its life, as a process of its own: `scene.ts <what> <home>`. A line
 * `mark ...` stands for what is told to others (the acknowledgement of an order).
 */
const [what = '', root = ''] = process.argv.slice(2);
const home = homeAt(root);
const mark = (text: string) => writeSync(1, `mark ${text}\n`);

function accept(journal: Journal, from: number, to: number, size = 0): void {
  for (let n = from; n <= to; n++) {
    journal.accept(orderOf(n, { text: 'x'.repeat(size) }));
    mark(`accepted ${idOf(n)}`);
  }
}

const scenes: Record<string, () => void | Promise<void>> = {
  /** Orders come in; the agent stops in order, starts again, takes more, and is still there at the end. */
  accept: () => {
    const first = new Journal(home.journal, 'db-01', '1.0.0');
    accept(first, 1, 3);
    first.close();
    accept(new Journal(home.journal, 'db-01', '1.0.0'), 4, 5);
  },
  /** So many bytes that SQLite moves its log into the database while the agent runs, and begins the log anew. */
  overflow: () => accept(new Journal(home.journal, 'db-01', '1.0.0'), 1, 22, 220_000),
  files: () => {
    writeDurably(join(home.state, 'a'), 'one\n');
    mark('written');
    writeDurably(join(home.state, 'a'), 'two\n');
    linkDurably('a', join(home.state, 'b'));
    renameDurably(join(home.state, 'a'), join(home.state, 'c'));
    removeDurably(join(home.state, 'b'));
  },
  /** With no room for as much as this. */
  full: () => {
    try {
      writeDurably(home.loader, 'x'.repeat(200_000), 0o755);
      mark('written');
    } catch (error) {
      mark(String((error as NodeJS.ErrnoException).code));
    }
  },
  switch: () => {
    forgetFailedTrial(home);
    switchOver(home, TASK, '1.0.0', upgrade);
  },
  close: () => {
    closeTrial(home);
    mark('closed');
    tidy(home, '1.1.0');
  },
  stage: () => stageRelease(home, join(root, 'package.tar.gz'), '1.1.0'),
  /** A runtime comes, and goes again since no release names it. */
  runtime: async () => {
    await stageRuntime(home, join(root, 'package.tar.gz'), 'node-24.0.1');
    mark('staged');
    sweepRuntimes(home);
  },
  /** The release before, started by the loader that went back, has judged: the loader ends with it. */
  judged: () => {
    mark('judging');
    forgetFailedTrial(home);
    discard(home, '1.1.0');
    mark('done');
    process.kill(process.ppid, 'SIGKILL');
  },
};

await scenes[what]?.();
if (what !== 'judged') mark('done');
// As kill -9: nothing is closed in order.
process.kill(process.pid, 'SIGKILL');
