import type { JobWithCounts } from '../../src/cli/answers.ts';
import { follow } from '../../src/cli/job/follow.ts';
import type { Call } from '../../src/lib/sender.ts';
import { CRASHES, HANGS } from '../world/packages.ts';
import { boardOn } from './board.ts';
import { type Figures, figuresOf, type Upgrade } from './figures.ts';
import type { Show } from './show.ts';
import type { Stage } from './stage.ts';

export type Versions = { from: string; to: string; crashes: string; hangs: string };

/** This project's own version, the next minor one, and two of the one after that are broken. */
export function versionsAfter(own: string): Versions {
  const [major = 1, minor = 0] = own.split(/[.-]/).map(Number);
  const broken = `${major}.${minor + 2}.0`;
  return {
    from: own,
    to: `${major}.${minor + 1}.0`,
    crashes: `${broken}-crashes`,
    hangs: `${broken}-hangs`,
  };
}

type Order = { to: string; on: string[]; trial?: object };

/** So many, and the board shows each of them. */
const MOST_HOSTS = 500;

/** Budgets of the broken ones that a person can wait for. */
const QUICK_TRIAL = { starts: 3, seconds: 20, hangSeconds: 5 };

export async function play(
  stage: Stage,
  versions: Versions,
  show: Show,
  signal: AbortSignal,
): Promise<Figures> {
  const { from, to, crashes, hangs } = versions;
  const { world, ids } = stage;
  const run = (orders: Order[]) => runOrders(stage, orders, show, signal);

  await show.step(`version ${to}, built and published`, () => world.publish(to));
  show.title(`Upgrading every host from ${from} to ${to}`);
  const [fleet] = await run([{ to, on: ['all'] }]);

  show.title('Two releases that are broken on purpose');
  await show.step(`version ${crashes}, which crashes at its start`, () => world.publish(crashes, CRASHES));
  await show.step(`version ${hangs}, which hangs`, () => world.publish(hangs, HANGS));
  const [first = '', second = first] = ids;
  const orders = [
    { to: crashes, on: [first], trial: QUICK_TRIAL },
    { to: hangs, on: [second], trial: QUICK_TRIAL },
  ];
  show.say(`Sending ${crashes} to ${first} and ${hangs} to ${second}:`);
  const broken = first === second ? await oneByOne(orders, run) : await run(orders);
  return figuresOf(from, to, fleet!, broken);
}

/** A host does one upgrade at a time. */
async function oneByOne(orders: Order[], run: (orders: Order[]) => Promise<Upgrade[]>): Promise<Upgrade[]> {
  const done: Upgrade[] = [];
  for (const order of orders) done.push(...(await run([order])));
  return done;
}

/** Gives the orders at once and shows their hosts together until all have ended. */
async function runOrders(
  { world }: Stage,
  orders: Order[],
  show: Show,
  signal: AbortSignal,
): Promise<Upgrade[]> {
  const call: Call = (fn, args) => world.call(fn, args);
  const board = boardOn(show.stream);
  return await Promise.all(
    orders.map(async (order) => {
      const { job: id } = await call<{ job: string }>('client_upgrade', order);
      let last: Upgrade | undefined;
      for await (const seen of follow(call, id, {
        signal,
        tasks: true,
        few: MOST_HOSTS,
        onTrouble: (text) => show.say(text),
      })) {
        board.update(seen.tasks);
        last = { job: seen.job satisfies JobWithCounts, tasks: seen.tasks };
      }
      return last!;
    }),
  );
}
