import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '../../src/lib/errors.ts';
import { heldMessages } from '../world/broker.ts';
import { until } from '../world/until.ts';
import type { Stage } from './stage.ts';

const QUIET_MS = 300_000;
const TELL_MS = 20_000;
const MOST_ROUNDS = 3;
const OPEN = ['pending', 'queued', 'accepted', 'running', 'cancelling'];

type Said = { say: (line: string) => void; signal: AbortSignal };
/** Which version answered on each host. */
export type Answers = Map<string, string>;

/**
 * After the last outage: waits until no task is open and all hosts are there, has every host answer once more,
 * and stops the agents in order, so that their journals can be read.
 */
export async function comeToRest(stage: Stage, said: Said): Promise<Answers> {
  for (let round = 1; ; round++) {
    await untilQuiet(stage, said);
    const answers = await pingAll(stage, said);
    await stopAgents(stage);
    const open = stage.machines.filter(({ agent }) => hasMore(agent.readJournal(openIn)));
    if (open.length === 0 || round === MOST_ROUNDS) return answers;
    // A task that the dispatchers gave up may still run on its host, which alone knows of that.
    said.say(`${open.map(({ agent }) => agent.id).join(' ')}: not at rest yet, starting again`);
    for (const { gate } of stage.machines) gate.open();
  }
}

const openIn = (db: { prepare(sql: string): { get(): unknown } }) =>
  db
    .prepare(
      `SELECT (SELECT COUNT(*) FROM tasks WHERE state <> 'ended') + (SELECT COUNT(*) FROM outbox) AS n`,
    )
    .get();
const hasMore = (row: unknown) => (row as { n: number }).n > 0;

export async function stopAgents(stage: Stage): Promise<void> {
  await Promise.all(
    stage.machines.map(async ({ agent, gate }) => {
      gate.close();
      await agent.stop();
    }),
  );
}

async function untilQuiet(stage: Stage, { say, signal }: Said): Promise<void> {
  const told = new AbortController();
  let last = 'nothing yet';
  const look = async () => {
    last = await missing(stage).catch((error: unknown) => describe(error));
    if (last === '') return true;
    throw new Error(last);
  };
  const telling = (async () => {
    for (;;) {
      await sleep(TELL_MS, undefined, { signal: told.signal });
      say(`waiting for: ${last}`);
    }
  })().catch(() => undefined);
  try {
    const what = 'all hosts to be online, no task to be open and all queues to be empty';
    await until(what, look, { deadlineMs: QUIET_MS, pollMs: 500, signal });
  } finally {
    told.abort();
    await telling;
  }
}

/** What is still to come, in words; empty when everything is at rest. */
async function missing(stage: Stage): Promise<string> {
  const parts: string[] = [];
  const hosts = await stage.world.call<{ id: string; online: boolean }[]>('get_all_server');
  const away = hosts.filter((host) => !host.online).map((host) => host.id);
  if (away.length > 0) parts.push(`online: ${away.join(' ')}`);
  const tasks = await stage.database.query<{ state: string; hosts: string; n: number }>(
    `SELECT state, COUNT(*) AS n, GROUP_CONCAT(DISTINCT host_id) AS hosts FROM tasks WHERE state IN (?) GROUP BY state`,
    [OPEN],
  );
  for (const { state, n, hosts: of } of tasks) parts.push(`${n} tasks that are ${state} (${of})`);
  const held = await heldMessages(stage.world);
  for (const { queue, messages } of held) {
    // What was refused stays there; the checker tells of it.
    if (queue !== 'mega.dead') parts.push(`${queue} with ${messages ?? 'uncounted'} messages`);
  }
  return parts.join('; ');
}

async function pingAll(stage: Stage, { signal }: Said): Promise<Answers> {
  const { job } = await stage.world.call<{ job: string }>('ping', { on: stage.ids });
  const ended = async () =>
    (await stage.world.call<{ state: string }>('get_job', { id: job })).state !== 'running';
  await until('the last ping to be answered', ended, { signal });
  const tasks = await stage.world.call<{ host: string; running: string | null }[]>('get_all_task', {
    job,
    limit: 500,
  });
  return new Map(tasks.map((task) => [task.host, task.running ?? 'nothing']));
}
