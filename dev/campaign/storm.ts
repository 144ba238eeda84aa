import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '../../src/lib/errors.ts';
import { Actor } from './act.ts';
import { describeHappening, type Happening } from './schedule.ts';
import type { Stage } from './stage.ts';

const COUNT_MS = 30_000;

export type Counts = Record<string, number>;
type Said = { say: (line: string) => void; signal: AbortSignal };

/** Lets everything of the schedule happen at its time, then heals all of it. What was really done, by kind. */
export async function storm(
  stage: Stage,
  schedule: Happening[],
  seconds: number,
  said: Said,
): Promise<Counts> {
  const { say, signal } = said;
  const actor = new Actor(stage, say, signal);
  const began = performance.now();
  const untilMs = (atMs: number) =>
    sleep(Math.max(0, began + atMs - performance.now()), undefined, { signal });
  const counting = setInterval(() => void countTasks(stage).then(say), COUNT_MS);
  try {
    for (const one of schedule) {
      await untilMs(one.atMs);
      say(describeHappening(one, (host) => stage.ids[host]?.slice(-2) ?? '?'));
      actor.begin(one);
    }
    await untilMs(seconds * 1000);
    say('everything heals');
    await actor.heal();
    return actor.counts;
  } finally {
    clearInterval(counting);
    await actor.stop().catch((error: unknown) => say(`not mended: ${describe(error)}`));
  }
}

async function countTasks(stage: Stage): Promise<string> {
  try {
    const counts = await tasksByState(stage);
    const states = Object.entries(counts).map(([state, n]) => `${n} ${state}`);
    return `tasks: ${states.join(', ') || 'none yet'}`;
  } catch {
    return 'tasks: not counted, the database is away';
  }
}

export async function tasksByState(stage: Stage): Promise<Counts> {
  const statement = 'SELECT state, COUNT(*) AS n FROM tasks GROUP BY state ORDER BY state';
  const rows = await stage.database.query<{ state: string; n: number }>(statement);
  return Object.fromEntries(rows.map(({ state, n }) => [state, Number(n)]));
}
