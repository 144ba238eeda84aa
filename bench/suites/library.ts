import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { destination, type Logger, pino } from 'pino';
import type { World } from '../../dev/world/world.ts';
import { type Conn, conn } from '../../src/lib/conn.ts';
import { createLogger } from '../../src/lib/logs.ts';
import { bareUrl } from '../bare/peer.ts';
import { median, timed } from '../measure.ts';
import { openWorld } from '../real.ts';
import type { Figure, Servers, Stage, Suite } from '../suite.ts';

const echo = join(import.meta.dirname, '../peers/echo.ts');
const QUEUE = 'bare.echo';
const ROUNDS = 7;
const QUICK_ROUNDS = 3;
const US = 1000;

/** What people's scripts pay for what the library does beyond its drivers. */
export const suite: Suite = {
  name: 'library',
  help: 'conn against bare mysql2, logs against bare pino, a call of sender against a bare round trip',
  run,
};

async function run(stage: Stage): Promise<Figure[]> {
  const servers = await stage.servers({ tuned: true });
  const figures = [...(await ofConn(stage, servers)), ...(await ofLogs(stage))];
  await using world = await openWorld(stage, { servers });
  await world.startDispatcher();
  return [...figures, await ofSender(stage, servers, world)];
}

type Pair = {
  name: string;
  peer: string;
  ours: () => Promise<unknown>;
  bare: () => Promise<unknown>;
  count: number;
};

/** In turns, so that whatever else the machine does troubles both; us each. */
async function compare(stage: Stage, { name, peer, ours, bare, count }: Pair): Promise<Figure> {
  const [mine, theirs]: [number[], number[]] = [[], []];
  for (let i = 0; i < (stage.quick ? QUICK_ROUNDS : ROUNDS) + 1; i++) {
    stage.signal.throwIfAborted();
    theirs.push(await timed(bare));
    mine.push(await timed(ours));
  }
  for (const warmup of [mine, theirs]) warmup.shift();
  const each = (all: number[]) => (median(all) * US) / count;
  const ratios = mine.map((ms, i) => (ms / theirs[i]!).toFixed(2)).sort();
  stage.log(`${name}: ${each(mine).toFixed(1)} us, ${peer} ${each(theirs).toFixed(1)} us`);
  const note = `ratios of the rounds: ${ratios.join(', ')}`;
  return { name, value: each(mine), unit: 'us each', ceiling: { name: peer, value: each(theirs) }, note };
}

const times = async (count: number, work: (i: number) => Promise<unknown>) => {
  for (let i = 0; i < count; i++) await work(i);
};

async function ofConn(stage: Stage, { mariadb }: Servers): Promise<Figure[]> {
  await using first = conn(mariadb.url);
  await first.run('CREATE DATABASE library');
  const url = `${mariadb.url}/library`;
  await using db = conn(url);
  const pool = createPool({ uri: url, connectionLimit: 8, timezone: 'Z', supportBigNumbers: true });
  try {
    await db.run('CREATE TABLE rows_in (id INT PRIMARY KEY, text VARCHAR(100), at DATETIME(3))');
    return [await queries(stage, db, pool), await inserts(stage, db, pool), await streams(stage, db, pool)];
  } finally {
    await pool.end();
  }
}

type Pool = ReturnType<typeof createPool>;

function queries(stage: Stage, db: Conn, pool: Pool): Promise<Figure> {
  const count = stage.quick ? 500 : 3_000;
  const sql = 'SELECT ? AS id, ? AS text';
  return compare(stage, {
    name: 'conn: a small query',
    peer: 'bare mysql2',
    count,
    ours: () => times(count, (i) => db.one(sql, [i, 'text'])),
    bare: () => times(count, (i) => pool.query<RowDataPacket[]>(sql, [i, 'text'])),
  });
}

function inserts(stage: Stage, db: Conn, pool: Pool): Promise<Figure> {
  const count = stage.quick ? 5_000 : 20_000;
  const at = new Date();
  const rows = Array.from({ length: count }, (_, id) => ({ id, text: `row ${id} with some text`, at }));
  const lists = rows.map(({ id, text }) => [id, text, at]);
  const empty = () => pool.query('TRUNCATE TABLE rows_in');
  const chunk = 10_000;
  return compare(stage, {
    name: 'conn: a row of a bulk insert',
    peer: 'bare mysql2',
    count,
    ours: async () => {
      await empty();
      await db.insert('rows_in', rows);
    },
    bare: async () => {
      await empty();
      for (let i = 0; i < count; i += chunk)
        await pool.query('INSERT INTO rows_in (id, text, at) VALUES ?', [lists.slice(i, i + chunk)]);
    },
  });
}

function streams(stage: Stage, db: Conn, pool: Pool): Promise<Figure> {
  const count = stage.quick ? 20_000 : 100_000;
  const sql = `SELECT seq AS id, REPEAT('x', 50) AS text FROM seq_1_to_${count}`;
  const read = async (rows: AsyncIterable<unknown>) => {
    let seen = 0;
    for await (const _ of rows) seen++;
    if (seen !== count) throw new Error(`${seen} rows, not ${count}`);
  };
  return compare(stage, {
    name: 'conn: a row of a stream',
    peer: 'bare mysql2',
    count,
    ours: () => read(db.stream(sql)),
    bare: async () => {
      const connection = await pool.getConnection();
      const core = connection.connection as unknown as import('mysql2').Connection;
      await read(core.query(sql).stream({ highWaterMark: 64 }));
      connection.release();
    },
  });
}

async function ofLogs(stage: Stage): Promise<Figure[]> {
  const count = stage.quick ? 10_000 : 50_000;
  const place = (name: string) => join(stage.folder, name);
  const ours = createLogger({ file: place('ours.log'), level: 'info' });
  const bare = pino({ base: {} }, destination({ dest: place('bare.log'), sync: true, append: true }));
  const write = async (log: Logger, more: object) => {
    for (let i = 0; i < count; i++) log.info({ host: 'db-01', rows: i, ...more }, 'a line of some length');
  };
  const pair = (name: string, more: object) =>
    compare(stage, {
      ...{ name, peer: 'bare pino', count },
      ours: () => write(ours, more),
      bare: () => write(bare, more),
    });
  return [
    await pair('logs: a line', {}),
    await pair('logs: a line with a secret', { url: 'mysql://root:secret@db-01/sales' }),
  ];
}

async function ofSender(stage: Stage, servers: Servers, world: World): Promise<Figure> {
  const count = stage.quick ? 100 : 1_000;
  const url = bareUrl(servers);
  await using _answering = await startEcho(url);
  const connection = await connect(url, { noDelay: true });
  try {
    const ask = await bareCaller(connection);
    await world.call('whoami');
    return await compare(stage, {
      name: 'sender: a call of `whoami`',
      peer: 'bare amqplib round trip',
      count,
      ours: () => times(count, () => world.call('whoami')),
      bare: () => times(count, ask),
    });
  } finally {
    await connection.close();
  }
}

async function bareCaller(connection: Awaited<ReturnType<typeof connect>>) {
  const channel = await connection.createChannel();
  let answered: () => void = () => undefined;
  await channel.consume('amq.rabbitmq.reply-to', () => answered(), { noAck: true });
  const body = Buffer.from(JSON.stringify({ v: 1, fn: 'whoami', args: {} }));
  return () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      const address = { replyTo: 'amq.rabbitmq.reply-to', correlationId: randomUUID() };
      channel.sendToQueue(QUEUE, body, address);
    });
}

async function startEcho(url: string): Promise<AsyncDisposable & { child: ChildProcess }> {
  const env = { ...process.env, PEER_BROKER: url };
  const child = spawn(process.execPath, [echo, QUEUE], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const end = async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { child, [Symbol.asyncDispose]: end };
}
