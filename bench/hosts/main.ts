/* A child process that is many hosts; see fleet.ts for what it is asked. */
import { join } from 'node:path';
import { until } from '../../dev/world/until.ts';
import { serve } from './child.ts';
import { SimulatedHost } from './host.ts';

export type StartHosts = {
  ids: string[];
  amqpPort: number;
  ca?: string | undefined;
  /** A folder for a journal each; without it they are in memory. */
  journals?: string;
  heartbeatMs: number;
  orderKey: string;
  /** How many may be connecting at the same time. */
  atOnce: number;
};

const hosts: SimulatedHost[] = [];
const ran = new Map<string, number>();
const onRun = (task: string) => void ran.set(task, (ran.get(task) ?? 0) + 1);

serve({
  start: async ({ ids, amqpPort, ca, journals, heartbeatMs, orderKey, atOnce }: StartHosts) => {
    const waiting = ids.values();
    const startNext = async () => {
      for (const id of waiting) {
        const journal = journals === undefined ? ':memory:' : join(journals, `${id}.db`);
        const about = { id, amqpPort, ca, journal, heartbeatMs, orderKey };
        const host = await SimulatedHost.start({ ...about, onRun });
        hosts.push(host);
        await until(`${id} to read its queue`, () => host.there, { pollMs: 20, deadlineMs: 180_000 });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, startNext));
  },
  there: () => hosts.filter((one) => one.there).length,
  /** How many tasks `noop` has run for, and how often in all. */
  ran: () => ({ tasks: ran.size, runs: [...ran.values()].reduce((sum, one) => sum + one, 0) }),
});
