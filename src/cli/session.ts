import { loadClientConfig } from '../lib/config.ts';
import { plainWarnings } from '../lib/secure.ts';
import { type Call, openSender, ownOrigin } from '../lib/sender.ts';
import { sleep, uuidv7 } from '../lib/utils.ts';
import type { Host, Task } from './answers.ts';
import { isUnavailable } from './exit.ts';
import type { Globals } from './world.ts';

/** Connects as the operator that the configuration names, and lets `work` call functions. */
export async function withSender<T>(globals: Globals, work: (call: Call) => Promise<T>): Promise<T> {
  const timeoutMs = globals.timeout * 1000;
  const config = loadClientConfig(globals.config);
  for (const line of plainWarnings([config.broker])) globals.warn?.(line);
  await using sender = await openSender(config, timeoutMs, ownOrigin('mega'));
  return await work((fn, args, options) => sender.call(fn, args, { timeoutMs, ...options }));
}

const TRIES = 3;
const PAUSE_MS = 500;

/**
 * A call that survives an answer lost on its way: it is asked again with the same idempotency key, so that it is
 * carried out once.
 */
export async function callSurely<T>(call: Call, fn: string, args: object, timeoutMs?: number): Promise<T> {
  const options = { key: uuidv7(), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  for (let tries = 1; ; tries++) {
    try {
      return await call<T>(fn, args, options);
    } catch (error) {
      if (tries === TRIES || !isUnavailable(error)) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

const HOSTS_A_CALL = 1000;
/** More of them might not fit into one answer, with all their events still fewer. */
const TASKS_A_CALL = 250;
const TASKS_WITH_EVENTS_A_CALL = 100;

/** All hosts, or those that `on` means. */
export async function allHosts(call: Call, on?: string[]): Promise<Host[]> {
  const all: Host[] = [];
  for (;;) {
    const after = all.at(-1)?.id ?? '';
    const page = await call<Host[]>('get_all_server', { after, limit: HOSTS_A_CALL, on });
    all.push(...page);
    if (page.length < HOSTS_A_CALL) return all;
  }
}

export type Which = { events?: boolean; states?: string[]; only?: 'silent' | 'retried' };

/** A job's tasks in order of host, at most `most` of them; only those in `states`, or of one kind, if given. */
export async function tasksOf(call: Call, job: string, most: number, which: Which = {}): Promise<Task[]> {
  const atOnce = which.events ? TASKS_WITH_EVENTS_A_CALL : TASKS_A_CALL;
  const all: Task[] = [];
  const retried = which.only === 'retried';
  while (all.length < most) {
    const limit = retried ? atOnce : Math.min(atOnce, most - all.length);
    const after = all.at(-1)?.host ?? '';
    const page = await call<Task[]>('get_all_task', { job, after, limit, ...which });
    // A host may have several that were tried again, and the page end between them.
    const split = retried && page.length === limit ? page.at(-1)?.host : undefined;
    all.push(...page.filter(({ host }) => host !== split));
    if (page.length < limit) break;
  }
  return all.slice(0, most);
}
