import { type Conn, conn } from '../../src/lib/conn.ts';
import type { Stage } from '../suite.ts';

/**
 * Years of history in minutes: made by the server out of its own numbers (MariaDB's `seq_1_to_N`), so that no row
 * goes over the wire, and with the secondary indexes built at the end, as a sorted whole.
 */
export type History = { hosts: number; tasks: number; maxMs: number };
export type Filled = { tasks: number; jobs: number; lastJob: string };

const STATEMENT_MS = 900_000;
/** Every tenth round of jobs is not one over all hosts, but many over a hundred each. */
const SMALL_JOB = 100;
const SMALL_EVERY = 10;
/** Between two rounds of jobs, so that ids and times are those of a fleet that has run for years. */
const ROUND_MS = 7 * 86_400_000;

export async function fill(stage: Stage, url: string, history: History): Promise<Filled> {
  await using db = conn(url, { connections: 1, timeoutMs: STATEMENT_MS });
  const { hosts, tasks, maxMs } = history;
  await db.run(`
    INSERT INTO hosts (id, registered_at, last_seen_at, online, version, platform)
    SELECT CONCAT('host-', LPAD(seq, 6, '0')), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 0, '1.0.0', 'linux-x64'
    FROM seq_1_to_${hosts}`);
  const keys = await dropKeys(db);
  const rounds = Math.ceil(tasks / hosts);
  const began = performance.now();
  const filled = { tasks: 0, jobs: 0, lastJob: '' };
  for (let round = 0; round < rounds && performance.now() - began < maxMs; round++) {
    stage.signal.throwIfAborted();
    // The last round is one over all hosts, since it is looked at.
    const small = round % SMALL_EVERY === 0 && round + 1 < rounds;
    const at = Date.now() - (rounds - round) * ROUND_MS;
    const size = small ? SMALL_JOB : hosts;
    await addJobs(db, at, hosts, size);
    await addTasks(db, at, hosts, size);
    filled.tasks += hosts;
    filled.jobs += Math.ceil(hosts / size);
    filled.lastJob = uuid(at, 0);
    if (round % 10 === 9) stage.log(`${filled.tasks} of ${tasks} tasks after ${seconds(began)} s`);
  }
  await db.run(`ALTER TABLE tasks ${keys.join(', ')}`);
  await db.query('ANALYZE TABLE tasks, jobs, hosts');
  stage.log(
    `${filled.tasks} tasks in ${filled.jobs} jobs of ${hosts} hosts, with indexes, in ${seconds(began)} s`,
  );
  return filled;
}

const seconds = (since: number) => Math.round((performance.now() - since) / 1000);

/** Drops the secondary keys of `tasks`; what brings them back. */
async function dropKeys(db: Conn): Promise<string[]> {
  const rows = await db.query<{ name: string; columns: string }>(`
    SELECT index_name AS name, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'tasks' AND index_name <> 'PRIMARY' GROUP BY index_name`);
  await db.run(`ALTER TABLE tasks ${rows.map(({ name }) => `DROP KEY ${name}`).join(', ')}`);
  return rows.map(({ name, columns }) => `ADD KEY ${name} (${columns})`);
}

/** A UUIDv7 of that time: in order of `n` within a millisecond. `n` may be SQL. */
function uuid(at: number, n: 0): string {
  const time = at.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8${String(n).padStart(3, '0')}-000000000000`;
}

function uuidSql(at: number, n: string, tail: string): string {
  const time = at.toString(16).padStart(12, '0');
  const hex = (what: string, digits: number) => `LPAD(LOWER(HEX(${what})), ${digits}, '0')`;
  const counted = `'-7', ${hex(`(${n}) DIV 4096`, 3)}, '-8', ${hex(`(${n}) MOD 4096`, 3)}`;
  return `CONCAT('${time.slice(0, 8)}-${time.slice(8)}', ${counted}, '-', ${tail})`;
}

const jobId = (at: number, size: number) => uuidSql(at, `(seq - 1) DIV ${size}`, "'000000000000'");

async function addJobs(db: Conn, at: number, hosts: number, size: number): Promise<void> {
  const time = `FROM_UNIXTIME(${at / 1000})`;
  await db.run(`
    INSERT INTO jobs (id, type, args, target, state, created_at, created_by, finished_at, call_key)
    SELECT ${jobId(at, size)}, 'client_upgrade', '{"to":"1.0.0"}', 'all', 'partial', ${time}, 'op_bench',
      ${time} + INTERVAL 1 MINUTE, CONCAT('op_bench:', ${at}, '-', seq)
    FROM seq_1_to_${hosts} WHERE (seq - 1) MOD ${size} = 0`);
}

/** 97 in 100 succeeded, the others failed, expired or were skipped. */
async function addTasks(db: Conn, at: number, hosts: number, size: number): Promise<void> {
  const time = `FROM_UNIXTIME(${at / 1000})`;
  const later = `${time} + INTERVAL 1 SECOND`;
  const random = "LPAD(LOWER(HEX(FLOOR(RAND() * 281474976710655))), 12, '0')";
  const args = JSON.stringify({
    to: '1.0.0',
    sha256: 'a'.repeat(64),
    size: 400_000,
    platforms: ['linux-x64'],
  });
  await db.run(`
    INSERT INTO tasks (id, job_id, host_id, type, args, state, phase, reason, seq, attempts, timeout_ms, created_at,
      deadline_at, order_expires_at, queued_at, accepted_at, started_at, heard_at, finished_at, from_version)
    SELECT ${uuidSql(at, 'seq', random)}, ${jobId(at, size)}, CONCAT('host-', LPAD(seq, 6, '0')), 'client_upgrade',
      '${args}',
      CASE seq MOD 100 WHEN 1 THEN 'failed' WHEN 2 THEN 'expired' WHEN 3 THEN 'skipped' ELSE 'succeeded' END,
      'completed', NULL, 8, 1, 60000, ${time}, ${time} + INTERVAL 7 DAY, ${time} + INTERVAL 10 MINUTE,
      ${later}, ${later}, ${later}, ${later}, ${later}, '0.9.0'
    FROM seq_1_to_${hosts}`);
}
