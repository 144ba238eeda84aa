import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '../../src/lib/errors.ts';
import type { AgentProcess } from '../world/agent.ts';
import type { LinkState } from './link.ts';
import type { Happening, Kind } from './schedule.ts';
import type { Machine, Stage } from './stage.ts';

/** A budget that a campaign can wait for; longer than any one outage of the schedule. */
const TRIAL = { starts: 3, seconds: 30, hangSeconds: 10 };
const OPEN = ['queued', 'accepted', 'running'];
const SELF_MS = 60_000;

/**
 * Does what the schedule says. Each thing that can be broken has a lane, in which one outage begins when the one
 * before has been mended; an outage is always mended by whoever made it.
 */
export class Actor {
  /** How often each thing was really done. */
  readonly counts: Partial<Record<Kind, number>> = {};
  #stage: Stage;
  #say: (line: string) => void;
  #signal: AbortSignal;
  /** Aborted when everything is to heal. */
  #over = new AbortController();
  #lanes = new Map<string, Promise<void>>();
  #work = new Set<Promise<void>>();

  constructor(stage: Stage, say: (line: string) => void, signal: AbortSignal) {
    this.#stage = stage;
    this.#say = say;
    this.#signal = signal;
  }

  begin(one: Happening): void {
    const [what] = one.kind.split('.');
    if (what === 'upgrade' || what === 'ping' || what === 'cancel') {
      const work: Promise<void> = this.#order(one)
        .then(() => this.#count(one.kind))
        .catch((error: unknown) => this.#say(`${one.kind} came to nothing: ${describe(error)}`))
        .finally(() => this.#work.delete(work));
      this.#work.add(work);
    } else if (what === 'broker' || what === 'database') {
      this.#inLane(what, () => this.#server(one));
    } else if (what === 'dispatcher') {
      this.#inLane(`${what} ${one.which}`, () => this.#dispatcher(one));
    } else if (what === 'net') {
      for (const group of one.hosts) this.#inLane(`net ${group}`, () => this.#net(one, group));
    } else {
      const act = what === 'link' ? this.#link : this.#host;
      const lane = what === 'link' ? 'link' : 'host';
      for (const number of one.hosts) {
        const machine = this.#stage.machines[number];
        if (machine) this.#inLane(`${lane} ${number}`, () => act.call(this, one, machine));
      }
    }
  }

  /** Everything that is broken is mended, at once; then waits for the work under way. */
  async heal(): Promise<void> {
    this.#over.abort();
    await this.stop();
    await Promise.all(this.#work);
  }

  /** Waits until nobody acts on the stage any more, which then may be cleared away. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#lanes.values());
  }

  #count(kind: Kind): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  #inLane(name: string, act: () => Promise<void>): void {
    const turn = async () => {
      if (this.#over.signal.aborted) return;
      await act();
    };
    const before = this.#lanes.get(name) ?? Promise.resolve();
    const lane = before.then(turn);
    this.#lanes.set(name, lane);
    lane.catch(() => undefined); // told by `stop`
  }

  async #pause({ forMs, kind }: Happening): Promise<void> {
    this.#count(kind);
    await sleep(forMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
  }

  async #server(one: Happening): Promise<void> {
    const { rabbitmq, mariadb } = this.#stage;
    if (one.kind === 'broker.freeze') {
      rabbitmq.pause();
      await this.#pause(one);
      rabbitmq.resume();
      return;
    }
    const server = one.kind.startsWith('broker') ? rabbitmq : mariadb;
    await (one.kind.endsWith('.stop') ? server.stop() : server.kill());
    await this.#pause(one);
    if (this.#signal.aborted) return;
    await server.start();
    this.#say(`${one.kind.split('.')[0]} is back`);
  }

  async #dispatcher(one: Happening): Promise<void> {
    const dispatcher = this.#stage.dispatchers[one.which ?? 0]!;
    await dispatcher.down(one.kind === 'dispatcher.kill' ? 'SIGKILL' : 'SIGTERM');
    await this.#pause(one);
    if (!this.#signal.aborted) dispatcher.up();
  }

  async #net(one: Happening, group: number): Promise<void> {
    const network = this.#stage.networks[group]!;
    await network.pullCable();
    await this.#pause(one);
    await network.plugIn();
  }

  async #host(one: Happening, { agent, gate }: Machine): Promise<void> {
    if (one.kind === 'agent.kill') {
      if (killAgent(agent)) this.#count(one.kind);
      return;
    }
    gate.close();
    await (one.kind === 'host.kill' ? agent.killAll() : agent.stop());
    await this.#pause(one);
    if (!this.#signal.aborted) gate.open();
  }

  async #link(one: Happening, { link }: Machine): Promise<void> {
    link.become(linkState(one));
    await this.#pause(one);
    link.become({ is: 'whole' });
  }

  async #order(one: Happening): Promise<void> {
    const { world, ids } = this.#stage;
    const on = one.hosts.map((host) => ids[host]!);
    if (one.kind === 'ping') await world.call('ping', { on });
    else if (one.kind === 'cancel') await this.#cancel(one.share ?? 0);
    else if (one.kind === 'upgrade.self') await this.#askForItself(this.#stage.machines[one.hosts[0]!]!, one);
    else {
      const atOnce = { limits: { waves: ['100%'] } }; // a fault is to meet many of them
      await world.call('client_upgrade', { to: one.to, on, trial: TRIAL, downgrade: true, ...atOnce });
    }
  }

  async #cancel(share: number): Promise<void> {
    const { world } = this.#stage;
    const tasks = await world.call<Task[]>('get_all_task', { limit: 300 });
    const open = tasks.filter(({ type, state }) => type === 'client_upgrade' && OPEN.includes(state));
    const { id } = open[Math.floor(share * open.length)] ?? {};
    if (id === undefined) throw new Error('no upgrade is open');
    await world.call('cancel_task', { id });
  }

  /** As a person on the host would; how it ends is the task's affair. */
  async #askForItself({ agent }: Machine, one: Happening): Promise<void> {
    const [command, args] = agent.commandLine('upgrade', '--to', one.to ?? '');
    const env = { PATH: process.env.PATH ?? '', ...this.#stage.world.mark };
    const options = { env, cwd: agent.home.root, timeout: SELF_MS, signal: this.#signal };
    const { promise, resolve } = Promise.withResolvers<string>();
    const child = execFile(command, args, options, (_, stdout, stderr) => resolve(stdout || stderr));
    const told = await promise;
    if (!told.startsWith('task ')) throw new Error(told.trim() || `exit code ${child.exitCode}`);
  }
}

type Task = { id: string; type: string; state: string };

function linkState({ kind, bytesPerSecond = 1024 }: Happening): LinkState {
  if (kind === 'link.cut') return { is: 'cut' };
  if (kind === 'link.freeze') return { is: 'frozen' };
  return kind === 'link.lose' ? { is: 'lost' } : { is: 'slow', bytesPerSecond };
}

/** False when none runs. A pid alone may belong to a stranger by now. */
function killAgent(agent: AgentProcess): boolean {
  try {
    const pid = agent.agentPid;
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(agent.home.root)) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
