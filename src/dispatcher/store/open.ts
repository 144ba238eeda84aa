import { join } from 'node:path';
import Postgrator from 'postgrator';
import { type Conn, conn } from '../../lib/conn.ts';
import { MegaError } from '../../lib/errors.ts';
import { sql } from './sql.ts';

/** Opens the store and brings its tables up to date; several dispatchers may start at once. `ca`: see lib/conn. */
export async function openStore(url: string, ca?: string): Promise<Conn> {
  await migrate(url, ca);
  return conn(url, { connections: 8, ca, patienceMs: 0 });
}

const LOCK_SECONDS = 60;

async function migrate(url: string, ca: string | undefined): Promise<void> {
  await createDatabase(url, ca);
  await using db = conn(url, {
    connections: 1,
    ca,
    multipleStatements: true,
    timeoutMs: (LOCK_SECONDS + 10) * 1000,
  });
  const lock = await db.one<{ got: number }>(sql`SELECT GET_LOCK(CONCAT('mega.', DATABASE()), ?) AS got`, [
    LOCK_SECONDS,
  ]);
  if (lock?.got !== 1)
    throw new MegaError('migration_locked', 'another dispatcher has been migrating for a minute');
  const postgrator = new Postgrator({
    driver: 'mysql',
    database: new URL(url).pathname.slice(1),
    migrationPattern: join(import.meta.dirname, 'migrations', '*.sql'),
    schemaTable: 'schema_version',
    execQuery: async (text: string) => ({ rows: await db.query(text) }),
  });
  await postgrator.migrate(); // the lock ends with its connection
}

async function createDatabase(url: string, ca: string | undefined): Promise<void> {
  const server = new URL(url);
  const name = decodeURIComponent(server.pathname.slice(1));
  if (!/^[A-Za-z0-9_]{1,60}$/.test(name)) {
    throw new MegaError(
      'bad_config',
      `the database URL must end in a plain name such as /mega, not "${name}"`,
    );
  }
  server.pathname = '/';
  await using db = conn(server.href, { connections: 1, ca });
  const there = await db.one(sql`SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?`, [
    name,
  ]);
  if (!there) await db.run(sql`CREATE DATABASE IF NOT EXISTS ${name} CHARACTER SET utf8mb4`);
}
