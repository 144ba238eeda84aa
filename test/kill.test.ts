import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { AgentProcess } from '../dev/world/agent.ts';
import { CRASHES } from '../dev/world/packages.ts';
import { isLong } from './support/long.ts';
import { ended, type TaskView, told, upgrade, useWorld } from './support/world.ts';

/**
 * The kill matrix: kill -9 of the agent, and of loader and agent together, at the entry and exit of every phase of
 * an upgrade, each on a host of its own. Whatever is killed is started again, as an init system would.
 */
const UPGRADING = [
  'preflight',
  'downloading',
  'verifying',
  'staging',
  'switching',
  'restarting',
  'watching',
  'completed',
];
const GOING_BACK = ['rolling_back'];
const EDGES = ['entry', 'exit'] as const;
const VICTIMS = ['agent', 'both'] as const;
const TRIAL = { starts: 4, seconds: 60, hangSeconds: 30 };

type Case = { id: string; point: string; victim: (typeof VICTIMS)[number] };

function casesOf(phases: string[], prefix: string): Case[] {
  const points = phases.flatMap((phase) => EDGES.map((edge) => `${phase}:${edge}`));
  const all = points.flatMap((point) => VICTIMS.map((victim) => ({ point, victim })));
  const cases = all.map((one, i) => ({ ...one, id: `${prefix}${String(i).padStart(2, '0')}` }));
  // Without the long form each point has one of its victims, in turn.
  return cases.filter((_, i) => isLong || (Math.floor(i / 2) + i) % 2 === 0);
}

const what = ({ point, victim }: Case) => {
  const [phase, edge] = point.split(':');
  return `${victim === 'both' ? 'loader and agent' : 'the agent'} killed at the ${edge} of ${phase}`;
};

describe('kill -9', () => {
  const world = useWorld({ agent: { heartbeatMs: 2_000 } });
  const upgraded = casesOf(UPGRADING, 'u');
  const goneBack = casesOf(GOING_BACK, 'r');
  const agents = new Map<string, AgentProcess>();
  const tasks = new Map<string, TaskView>();
  const name = (one: Case) => `${world().name}-${one.id}`;

  before(async () => {
    await world().publish('1.1.0');
    await world().publish('1.2.0', CRASHES);
    for (const one of [...upgraded, ...goneBack]) {
      const agent = await world().addHost(name(one), '1.0.0');
      agent.setFault(one.point, one.victim);
      agents.set(one.id, agent);
      void agent.supervise();
    }
    await world().untilOnline([...upgraded, ...goneBack].map(name));
    const jobs = [
      await upgrade(world(), '1.1.0', upgraded.map(name), TRIAL),
      await upgrade(world(), '1.2.0', goneBack.map(name), { ...TRIAL, starts: 2 }),
    ];
    for (const job of jobs) for (const [id, task] of await ended(world(), job, 240_000)) tasks.set(id, task);
  });

  const check = async (one: Case, end: string, running: string) => {
    const agent = agents.get(one.id)!;
    const task = tasks.get(name(one));
    assert.equal(agent.faultIsPending(), false, 'the fault point was never reached');
    assert.equal(told(task), `${end} ${running}`, `${task?.reason}\n${agent.log()}`);
    assert.equal(agent.current, running);
    const answer = (await ended(world(), await ping(one))).get(name(one));
    assert.equal(told(answer), `succeeded  ${running}`);
  };
  const ping = async (one: Case) => (await world().call<{ job: string }>('ping', { on: [name(one)] })).job;

  for (const one of upgraded) {
    test(`with ${what(one)} the upgrade is completed`, () => check(one, 'succeeded completed', '1.1.0'));
  }
  for (const one of goneBack) {
    test(`with ${what(one)} the way back is completed`, () => check(one, 'failed rolled_back', '1.0.0'));
  }
});
