/*
 * A child process: the hops of a task in bare amqplib and mysql2, and nothing else. Rows are inserted in bulk,
 * orders are published with confirms, results are gathered while the database is busy, committed, and only then
 * acknowledged. No schemas, no states, no claims, no events: the ceiling of this design.
 */
import type { Channel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { type Connection, createConnection, createPool, type Pool } from 'mysql2/promise';
import { uuidv7 } from '../../src/lib/utils.ts';
import { serve } from '../hosts/child.ts';
import { BARE, type BareTask, bareBody, bareQueue, open } from './wires.ts';

export type OpenBare = { url: string; databaseUrl: string; hosts: number };
export type BareLoop = { tasks: number; outstanding: number };
export type BareRate = { perSecond: number; seconds: number };

const PREFETCH = 500;
const BATCH = 200;
const ROWS_A_STATEMENT = 1_000;
const TABLE = `CREATE TABLE tasks (
  id CHAR(36) NOT NULL PRIMARY KEY, host INT NOT NULL, state VARCHAR(16) NOT NULL, created_at DATETIME(3) NOT NULL,
  finished_at DATETIME(3) NULL, result JSON NULL) CHARACTER SET utf8mb4`;

let db: Pool;
let publisher: ConfirmChannel;
let reader: Channel;
let hosts = 0;
const held: ConsumeMessage[] = [];
const waiting = new Map<string, () => void>();

serve({
  open: async (about: OpenBare) => {
    hosts = about.hosts;
    db = await openDatabase(about.databaseUrl);
    publisher = await (await open(about.url)).createConfirmChannel();
    reader = await (await open(about.url)).createChannel();
    await declare();
    await reader.prefetch(PREFETCH);
    await reader.consume(BARE.results, (message) => message && take(message));
  },
  /** ms from the first row inserted to the last result committed. */
  loop: async ({ tasks, outstanding }: BareLoop) => {
    const began = performance.now();
    let open = 0;
    const onEnd = () => open--;
    for (let made = 0; made < tasks; made += ROWS_A_STATEMENT) {
      while (open > outstanding - ROWS_A_STATEMENT) await nextCommit();
      const batch = makeTasks(Math.min(ROWS_A_STATEMENT, tasks - made));
      await insert(batch);
      open += batch.length;
      for (const task of batch) send(task, onEnd);
    }
    while (open > 0) await nextCommit();
    return performance.now() - began;
  },
  /** ms of each, from before its row is inserted to after its result is committed. */
  atRate: async ({ perSecond, seconds }: BareRate) => {
    const times: number[] = [];
    await Promise.all(
      Array.from({ length: perSecond * seconds }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, (i * 1000) / perSecond));
        const began = performance.now();
        const [task] = makeTasks(1);
        await insert([task!]);
        await new Promise<void>((resolve) => send(task!, resolve));
        times.push(performance.now() - began);
      }),
    );
    return times;
  },
});

async function openDatabase(url: string): Promise<Pool> {
  const target = new URL(url);
  const name = target.pathname.slice(1);
  target.pathname = '/';
  const first: Connection = await createConnection(target.href);
  await first.query(`DROP DATABASE IF EXISTS ${name}`);
  await first.query(`CREATE DATABASE ${name}`);
  await first.query(`USE ${name}`);
  await first.query(TABLE);
  await first.end();
  return createPool({ uri: url, connectionLimit: 4 });
}

async function declare(): Promise<void> {
  await reader.assertExchange(BARE.task, 'direct', { durable: true });
  await reader.assertExchange(BARE.up, 'topic', { durable: true });
  await reader.assertQueue(BARE.results, { durable: true });
  await reader.bindQueue(BARE.results, BARE.up, 'result.*');
  for (let n = 0; n < hosts; n++) {
    await reader.assertQueue(bareQueue(n), { durable: true });
    await reader.bindQueue(bareQueue(n), BARE.task, String(n));
  }
}

let next = 0;
const makeTasks = (count: number): BareTask[] =>
  Array.from({ length: count }, () => ({ id: uuidv7(), host: next++ % hosts }));

async function insert(tasks: BareTask[]): Promise<void> {
  const rows = tasks.map(({ id, host }) => [id, host, 'pending', new Date()]);
  await db.query('INSERT INTO tasks (id, host, state, created_at) VALUES ?', [rows]);
}

function send({ id, host }: BareTask, onEnd: () => void): void {
  waiting.set(id, onEnd);
  publisher.publish(
    BARE.task,
    String(host),
    bareBody(id, host),
    { persistent: true, mandatory: true },
    (error) => {
      if (error) throw new Error('an order was not confirmed', { cause: error });
    },
  );
}

let isFlushing = false;
let committed = Promise.withResolvers<void>();
const nextCommit = () => committed.promise;

function take(message: ConsumeMessage): void {
  held.push(message);
  if (isFlushing) return;
  isFlushing = true;
  void flush().finally(() => {
    isFlushing = false;
  });
}

async function flush(): Promise<void> {
  await Promise.resolve(); // lets what has arrived together gather
  while (held.length > 0) {
    const batch = held.splice(0, BATCH);
    const ids = batch.map(({ content }) => (JSON.parse(content.toString()) as BareTask).id);
    const rows = batch.map(({ content }, i) => [
      ids[i],
      0,
      'succeeded',
      new Date(),
      new Date(),
      content.toString(),
    ]);
    await db.query(
      `INSERT INTO tasks (id, host, state, created_at, finished_at, result) VALUES ?
       ON DUPLICATE KEY UPDATE state = VALUES(state), finished_at = VALUES(finished_at), result = VALUES(result)`,
      [rows],
    );
    reader.ack(batch.at(-1)!, true);
    for (const id of ids) {
      waiting.get(id)?.();
      waiting.delete(id);
    }
    committed.resolve();
    committed = Promise.withResolvers<void>();
  }
}
