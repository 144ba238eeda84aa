import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { check, type Violation } from '../dev/campaign/check.ts';
import { type Evidence, gather, type TaskRow } from '../dev/campaign/evidence.ts';
import { type Answers, comeToRest } from '../dev/campaign/heal.ts';
import { Link } from '../dev/campaign/link.ts';
import { parseOptions, UsageError } from '../dev/campaign/options.ts';
import { type Happening, makeSchedule, OUTAGES, type Plan, WORK } from '../dev/campaign/schedule.ts';
import { type Bad, GOOD, type Machine, Stage } from '../dev/campaign/stage.ts';
import { type Counts, storm } from '../dev/campaign/storm.ts';
import { describeViolation, RULES } from '../dev/campaign/violation.ts';
import { askBroker } from '../dev/world/broker.ts';
import { until } from '../dev/world/until.ts';
import { linkDurably } from '../src/lib/files.ts';
import { hostQueue } from '../src/lib/topology.ts';
import { isLong } from './support/long.ts';
import { withoutOwnServers } from './support/own.ts';

const SECONDS = isLong ? 45 : 30;
const SEED = 7;
const BAD: Bad[] = ['2.0.0'];

const FULL: Plan = {
  ...{ seed: SEED, seconds: 600, hosts: 20, groups: 2, dispatchers: 2 },
  ...{ good: GOOD, bad: ['2.0.0', '2.0.1'] },
};

describe('the schedule of a campaign', () => {
  test('is the same for the same seed, and another for another', () => {
    assert.deepEqual(makeSchedule(FULL), makeSchedule({ ...FULL }));
    assert.notDeepEqual(makeSchedule(FULL), makeSchedule({ ...FULL, seed: SEED + 1 }));
  });

  test('is in order of time, within it, and holds everything that can happen', () => {
    const schedule = makeSchedule(FULL);
    const times = schedule.map((one) => one.atMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.ok(times.every((at) => at >= 0 && at < FULL.seconds * 1000));
    assert.deepEqual(new Set(schedule.map((one) => one.kind)), new Set([...OUTAGES, ...WORK]));
  });

  test('breaks nothing that is broken, and kills no host three times within a trial', () => {
    for (let seed = 0; seed < 50; seed++) {
      const schedule = makeSchedule({ ...FULL, seed });
      for (const [what, happenings] of Map.groupBy(schedule.flatMap(victims), ([name]) => name)) {
        const spans = happenings.map(([, one]) => one);
        for (const [i, one] of spans.entries()) {
          const before = spans[i - 1];
          const rest = what.startsWith('host') ? 45_000 : 0;
          const message = `seed ${seed}: ${what} at ${one.atMs}`;
          if (before) assert.ok(one.atMs >= before.atMs + before.forMs + rest, message);
        }
      }
    }
  });

  test('of a short campaign has a bit of everything, and without networks of their own none is cut', () => {
    const schedule = makeSchedule({ ...FULL, seconds: SECONDS, hosts: 6, groups: 0 });
    const rooms = new Set(schedule.map((one) => one.kind.replace(/\..*/, '')));
    const due = ['agent', 'broker', 'cancel', 'database', 'dispatcher', 'link', 'ping', 'upgrade'];
    assert.deepEqual([...rooms].filter((one) => one !== 'host').sort(), due);
  });
});

function victims(one: Happening): [string, Happening][] {
  const [what = ''] = one.kind.split('.');
  if (what === 'agent' || what === 'host') return one.hosts.map((host) => [`host ${host}`, one]);
  if (what === 'link') return one.hosts.map((host) => [`link ${host}`, one]);
  const outages: readonly string[] = OUTAGES;
  return outages.includes(one.kind) ? [[`${what} ${one.which ?? one.hosts.join()}`, one]] : [];
}

describe('the command line of a campaign', () => {
  const parse = (...argv: string[]) => parseOptions(argv, () => 5);

  test('takes a seed, minutes and hosts, and makes up what is not said', () => {
    const usual = { seed: 5, seconds: 600, hosts: 20, json: false, help: false };
    assert.deepEqual(parse('outage'), usual);
    const asked = parse('outage', '--seed', '7', '--minutes', '0.5', '--hosts', '3', '--json');
    assert.deepEqual(asked, { seed: 7, seconds: 30, hosts: 3, json: true, help: false });
  });

  test('says what is wrong with it', () => {
    const wrong: [string[], RegExp][] = [
      [[], /name the campaign, of which there is one: outage/],
      [['flood'], /name the campaign/],
      [['outage', '--hosts', 'many'], /--hosts must be a number from 1 to 100, not "many"/],
      [['outage', '--seed', '-1'], /seed/],
      [['outage', '--seed', '4294967296'], /--seed must be a number from 0 to 4294967295/],
      [['outage', '--minutes', '0'], /--minutes must be/],
      [['outage', '--fast'], /unknown option '--fast'/i],
    ];
    for (const [argv, message] of wrong) {
      assert.throws(
        () => parse(...argv),
        (error: Error) => error instanceof UsageError && message.test(error.message),
        argv.join(' '),
      );
    }
  });
});

describe('a link of a host', () => {
  let echo: Server;
  before(async () => {
    echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  });
  after(() => echo.close());

  const target = () => (echo.address() as { port: number }).port;
  const open = async (link: Link) => {
    const socket = dial(link.port, '127.0.0.1');
    const state = { heard: '', ended: false, socket };
    socket.on('data', (bytes) => {
      state.heard += bytes;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      state.ended = true;
    });
    await until('the connection', () => !socket.connecting || state.ended, { pollMs: 5 });
    return state;
  };
  const say = (one: { socket: Socket }, text: string) => one.socket.write(text);

  test('that is frozen keeps what is said until it thaws', async () => {
    await using link = await Link.open(target());
    const [old, other] = [await open(link), await open(link)];
    say(old, 'a');
    await until('the echo', () => old.heard === 'a');
    link.become({ is: 'frozen' });
    const fresh = await open(link);
    for (const one of [old, fresh]) say(one, 'b');
    link.become({ is: 'frozen' });
    assert.deepEqual([old.heard, fresh.heard], ['a', '']);
    link.become({ is: 'whole' });
    await until('all that was said', () => old.heard === 'ab' && fresh.heard === 'b');
    assert.equal(other.ended, false);
  });

  test('that loses what is said ends those connections afterwards, and no others', async () => {
    await using link = await Link.open(target());
    const [torn, quiet] = [await open(link), await open(link)];
    for (const one of [torn, quiet]) say(one, 'a');
    await until('the echoes', () => torn.heard === 'a' && quiet.heard === 'a');
    link.become({ is: 'lost' });
    say(torn, 'b');
    const unheard = await open(link);
    await until('it to be lost', () => torn.socket.bytesWritten === 2 && torn.socket.writableLength === 0);
    await until('it to be read', () => link.lostBytes > 0);
    link.become({ is: 'whole' });
    await until('the torn ones to end', () => torn.ended && unheard.ended);
    assert.deepEqual([torn.heard, unheard.heard, quiet.ended], ['a', '', false]);
    say(quiet, 'c');
    await until('the other to go on', () => quiet.heard === 'ac');
  });

  test('that is cut ends all connections, and takes new ones only when it is whole again', async () => {
    await using link = await Link.open(target());
    const old = await open(link);
    link.become({ is: 'cut' });
    const fresh = await open(link);
    await until('both to end', () => old.ended && fresh.ended);
    link.become({ is: 'whole' });
    const later = await open(link);
    say(later, 'a');
    await until('the echo', () => later.heard === 'a');
  });

  test('that is slow lets so many bytes through in a second, and more when it is whole', async () => {
    await using link = await Link.open(target());
    link.become({ is: 'slow', bytesPerSecond: 10_000 });
    const one = await open(link);
    const began = performance.now();
    say(one, 'x'.repeat(5_000));
    await until('a part', () => one.heard.length >= 3_000, { pollMs: 5 });
    assert.ok(performance.now() - began > 150, 'much too soon');
    assert.ok(one.heard.length < 5_000);
    say(one, 'x'.repeat(1_000_000));
    link.become({ is: 'whole' });
    await until('the rest', () => one.heard.length === 1_005_000, { deadlineMs: 10_000 });
  });
});

/** Servers of this file's own, since they are killed: never those that the tests share. */
describe('a campaign of outages', { timeout: 200_000, skip: withoutOwnServers() }, () => {
  const opened = new AsyncDisposableStack();
  const lines: string[] = [];
  let stage: Stage;
  let counts: Counts;
  let answers: Answers;
  let evidence: Evidence;

  before(async () => {
    const { signal } = new AbortController();
    const say = (line: string) => lines.push(line);
    stage = opened.use(await Stage.open({ folder: '.mega/test', hosts: 6, bad: BAD, say, signal }));
    const groups = stage.networks.length;
    const plan = { ...FULL, seconds: SECONDS, hosts: 6, groups, bad: BAD };
    counts = await storm(stage, makeSchedule(plan), SECONDS, { say, signal });
    answers = await comeToRest(stage, { say, signal });
    evidence = await read();
    for (const dispatcher of stage.dispatchers) await dispatcher.retire(); // they would mend what is planted
    for (const table of TABLES)
      await stage.database.run(`CREATE TABLE kept_${table} AS SELECT * FROM ${table}`);
  });
  after(() => opened.disposeAsync());

  const read = (settleMs?: number) => gather(stage, answers, GOOD[0], settleMs);
  const found = async () => check(await read());
  const machine = (host: string) => stage.machines.find(({ agent }) => agent.id === host)!;

  test('has broken everything, and nothing was lost, done twice or left over', () => {
    assert.deepEqual(check(evidence).map(describeViolation), [], lines.join('\n'));
    const rooms = new Set(Object.keys(counts).map((kind) => kind.replace(/\..*/, '')));
    for (const room of ['agent', 'broker', 'database', 'dispatcher', 'link', 'ping', 'upgrade'])
      assert.ok(rooms.has(room), `${room} is not among ${Object.keys(counts)}`);
    const upgraded = evidence.tasks.filter((row) => row.type === 'client_upgrade');
    assert.ok(upgraded.filter((row) => row.state === 'succeeded').length >= 3, lines.join('\n'));
    assert.ok(evidence.tasks.some((row) => row.type === 'ping' && row.state === 'succeeded'));
  });

  const anUpgrade = (): TaskRow => {
    const row = evidence.tasks.find((one) => one.type === 'client_upgrade' && one.state === 'succeeded');
    assert.ok(row, 'no upgrade has succeeded');
    return row;
  };
  const inJournal = (host: string, write: (db: DatabaseSync) => unknown) =>
    machine(host).agent.readJournal(write);
  const sql = (statement: string, params: (string | number)[] = []) => stage.database.run(statement, params);
  const inHome = (...path: string[]) => join(machine(anUpgrade().host).agent.home.root, ...path);
  const other = (host: string) => stage.ids.find((id) => id !== host)!;

  type Fault = { name: string; rule: Violation['rule']; says: RegExp; plant: (row: TaskRow) => unknown };
  const FAULTS: Fault[] = [
    {
      name: 'a task that is still open',
      rule: 'one end',
      says: /is still running/,
      plant: ({ id }) => sql("UPDATE tasks SET state = 'running', finished_at = NULL WHERE id = ?", [id]),
    },
    {
      name: 'a success that the database calls a failure',
      rule: 'one end',
      says: /is failed .* though the result says succeeded/,
      plant: ({ id }) => sql("UPDATE tasks SET state = 'failed' WHERE id = ?", [id]),
    },
    {
      name: 'a success that was given up for lost',
      rule: 'one end',
      says: /the database says "lost .*" .*, the journal "succeeded completed/,
      plant: async ({ id }) => {
        await sql("UPDATE tasks SET state = 'lost' WHERE id = ?", [id]);
        await sql('UPDATE task_events SET result = NULL WHERE task_id = ?', [id]);
      },
    },
    {
      name: 'an end without its time',
      rule: 'one end',
      says: /is succeeded without a time of its end/,
      plant: ({ id }) => sql('UPDATE tasks SET finished_at = NULL WHERE id = ?', [id]),
    },
    {
      name: 'a task that its host has forgotten',
      rule: 'one end',
      says: /its journal does not know it/,
      plant: ({ id, host }) => inJournal(host, (db) => db.prepare('DELETE FROM tasks WHERE id = ?').run(id)),
    },
    {
      name: 'a task that the database has forgotten',
      rule: 'one end',
      says: /the database knows no such task/,
      plant: async ({ id }) => {
        await sql('DELETE FROM task_events WHERE task_id = ?', [id]);
        await sql('DELETE FROM tasks WHERE id = ?', [id]);
      },
    },
    {
      name: 'a task that goes on in its journal',
      rule: 'one end',
      says: /the journal says running/,
      plant: ({ id, host }) =>
        inJournal(host, (db) => db.prepare("UPDATE tasks SET state = 'running' WHERE id = ?").run(id)),
    },
    {
      name: 'another end in the journal',
      rule: 'one end',
      says: /the database says "succeeded .*" .*, the journal "failed rolled_back/,
      plant: ({ id, host }) =>
        inJournal(host, (db) => {
          const last = JSON.stringify({
            kind: 'result',
            state: 'failed',
            phase: 'rolled_back',
            running: '1.0.0',
          });
          db.prepare('UPDATE tasks SET last = ? WHERE id = ?').run(last, id);
        }),
    },
    {
      name: 'a word that was lost',
      rule: 'all words',
      says: /words 4 of \d+ are missing/,
      plant: ({ id }) => sql('DELETE FROM task_events WHERE task_id = ? AND seq = 4', [id]),
    },
    {
      name: 'a second end',
      rule: 'all words',
      says: /has 2 ends: .*failed/,
      plant: ({ id, seq }) =>
        sql(
          `INSERT INTO task_events (task_id, seq, state, agent_ms, recorded_at)
           VALUES (?, ?, 'failed', 0, UTC_TIMESTAMP(3))`,
          [id, seq + 1],
        ),
    },
    {
      name: 'a job whose state is not that of its tasks',
      rule: 'job',
      says: /is no_targets, should be/,
      plant: ({ job }) => sql("UPDATE jobs SET state = 'no_targets' WHERE id = ?", [job]),
    },
    {
      name: 'a task in the journals of two hosts',
      rule: 'once',
      says: /is in the journal of .*, too/,
      plant: ({ id, host }) => {
        const row = inJournal(host, (db) =>
          db.prepare('SELECT spec, last FROM tasks WHERE id = ?').get(id),
        ) as {
          spec: string;
          last: string;
        };
        inJournal(other(host), (db) =>
          db
            .prepare("INSERT INTO tasks (id, spec, state, last, changed_ms) VALUES (?, ?, 'ended', ?, 0)")
            .run(id, row.spec, row.last),
        );
      },
    },
    {
      name: 'a switch that no trial explains',
      rule: 'once',
      says: /was switched to 9.9.9 1 times, with 0 trials opened/,
      plant: ({ host }) =>
        appendFileSync(
          machine(host).agent.loaderLog,
          'mega_client: started 9.9.9, pid 1 (on trial, start 1 of 3)\n',
        ),
    },
    {
      name: 'a way back that no trial explains',
      rule: 'once',
      says: /went back from 9.9.9 1 times, with 0 trials opened/,
      plant: ({ host }) =>
        appendFileSync(machine(host).agent.loaderLog, 'mega_client: going back from 9.9.9 to 1.0.0: lost\n'),
    },
    {
      name: 'a trial that was not announced',
      rule: 'once',
      says: /opened 99 trials, and told of switching \d+ times/,
      plant: ({ id, host }) =>
        inJournal(host, (db) => db.prepare(`UPDATE tasks SET facts = '{"holds":99}' WHERE id = ?`).run(id)),
    },
    {
      name: 'an end under another version than what succeeded',
      rule: 'once',
      says: /ended succeeded with 9.9.9 running; by what succeeded it should be/,
      plant: ({ id, host }) =>
        inJournal(host, (db) =>
          db.prepare(`UPDATE tasks SET last = json_set(last, '$.running', '9.9.9') WHERE id = ?`).run(id),
        ),
    },
    {
      name: 'a host whose link names another version',
      rule: 'version',
      says: /current names 1\.9\.9, the database 1/,
      plant: () => linkDurably('releases/1.9.9', inHome('current')),
    },
    {
      name: 'a host of which the database says another version',
      rule: 'version',
      says: /current names .*, the database 1\.9\.9/,
      plant: ({ host }) => sql("UPDATE hosts SET version = '1.9.9' WHERE id = ?", [host]),
    },
    {
      name: 'a host that runs a bad version',
      rule: 'version',
      says: /runs 2\.0\.0, a bad version/,
      plant: () => linkDurably('releases/2.0.0', inHome('current')),
    },
    {
      name: 'a good version on a skip list',
      rule: 'skip list',
      says: /names 1\.0\.2, a good version: on purpose/,
      plant: ({ host }) =>
        inJournal(host, (db) => db.exec("INSERT INTO skipped VALUES ('1.0.2', 'on purpose', 0)")),
    },
    {
      name: 'a word that was never sent',
      rule: 'left over',
      says: /1 words in the outbox/,
      plant: ({ host }) =>
        inJournal(host, (db) => db.exec("INSERT INTO outbox (kind, id, body) VALUES ('event', 'x:1', '{}')")),
    },
    ...(
      [
        ['a release', 'releases', '1.9.9'],
        ['a release half unpacked', 'releases', '.1.0.3.new'],
        ['a runtime', 'runtimes', 'node-1.2.3'],
        ['a download', 'state/downloads', 'a'.repeat(64)],
        ['a trial', 'state', 'trial'],
        ['the count of a trial', 'state', 'trial.count'],
        ['a half-written file', 'state', '.trial.new'],
        ['a half-swapped link', '.', '.current.new'],
        ['a half-written loader', 'bin', '.mega_client.new'],
      ] as const
    ).map(
      ([what, folder, name]): Fault => ({
        name: `${what} left over`,
        rule: 'left over',
        says: new RegExp(`${folder}/${name} is left over`.replaceAll('.', '\\.')),
        plant: () => mkdirSync(inHome(folder, name)),
      }),
    ),
    {
      name: 'a release that a link names and that is not there',
      rule: 'left over',
      says: /releases\/1\.9\.9, which a link names, is missing/,
      plant: () => linkDurably('releases/1.9.9', inHome('previous')),
    },
    {
      name: 'an agent that fell by itself',
      rule: 'fall',
      says: /an agent of 1\.\d\.\d ended with signal SEGV/,
      plant: ({ host }) =>
        appendFileSync(machine(host).agent.loaderLog, 'mega_client: agent 1 ended: signal SEGV\n'),
    },
  ];

  const planted = new Set<string>();
  for (const { name, rule, says, plant } of FAULTS) {
    test(`a checker finds ${name}`, async () => {
      const row = anUpgrade();
      await using _restored = snapshot(stage);
      await plant(row);
      const violations = await found();
      const hit = violations.find((one) => one.rule === rule && says.test(one.evidence));
      assert.ok(hit, violations.map(describeViolation).join('\n') || 'nothing was found');
      planted.add(rule);
    });
  }

  test('a checker finds a message that nobody took, and what was refused with its reason', async () => {
    const publish = (key: string, headers: object) =>
      askBroker(stage.world, 'POST', `exchanges/${stage.world.name}/amq.default/publish`, {
        ...{ routing_key: key, payload: '{}', payload_encoding: 'string' },
        properties: { headers },
      });
    const queue = hostQueue(stage.ids[0]!);
    await publish(queue, {});
    await publish('mega.dead', { 'x-reason': 'on purpose', 'x-sender': 'nobody' });
    await until('the broker to count them', async () => {
      const told = check(await read(0)).map(describeViolation);
      return (
        told.includes(`[queue] ${queue} holds 1 messages`) &&
        told.includes('[queue] nobody was refused: on purpose')
      );
    });
    planted.add('queue');
    for (const name of [queue, 'mega.dead'])
      await askBroker(stage.world, 'DELETE', `queues/${stage.world.name}/${name}/contents`);
  });

  test('a checker finds a dispatcher that fell, a word recorded twice and an answer of another version', () => {
    const [host] = stage.ids;
    const row = anUpgrade();
    const doubled = { ...row, events: [...row.events, row.events[0]!] };
    const doctored: Evidence = {
      ...evidence,
      tasks: evidence.tasks.map((one) => (one.id === row.id ? doubled : one)),
      answers: new Map(answers).set(host!, '1.9.9'),
      falls: [{ name: 'dispatcher-1', how: 'exit code 1' }],
    };
    const told = check(doctored).map(describeViolation);
    assert.equal(told.length, 3, told.join('\n'));
    // Which one is first depends on which dispatcher was.
    assert.match(told[0]!, /^\[all words\] \S+ \S+ a word was recorded twice: [\d ]*\b(\d+) \1\b/);
    assert.match(told[1]!, /^\[version\] .* its last answer 1\.9\.9/);
    assert.equal(told[2], '[fall] dispatcher-1 ended by itself: exit code 1');
  });

  test('no rule of the checker is without a planted fault, and without one it finds nothing again', async () => {
    assert.deepEqual([...planted].sort(), [...RULES].sort());
    await until('nothing to be found', async () => {
      const violations = await found();
      if (violations.length === 0) return true;
      throw new Error(violations.map(describeViolation).join('; '));
    });
  });
});

const TABLES = ['tasks', 'task_events', 'jobs', 'hosts'];

/** What a planted fault may touch is put back as it was. */
function snapshot(stage: Stage): AsyncDisposable {
  const files = stage.machines.flatMap(({ agent }) => [agent.home.journal, agent.loaderLog]);
  const texts = files.map((file) => [file, readFileSync(file)] as const);
  const links = stage.machines.flatMap(({ agent }) => [agent.home.current, agent.home.previous]);
  const targets = links.filter((link) => existsSync(link)).map((link) => [link, readlinkSync(link)] as const);
  const folders = stage.machines.flatMap(foldersOf).map((folder) => [folder, readdirSync(folder)] as const);
  return {
    async [Symbol.asyncDispose]() {
      for (const [file, bytes] of texts) writeFileSync(file, bytes);
      for (const [folder, names] of folders) {
        const strange = readdirSync(folder).filter((name) => !names.includes(name));
        for (const name of strange) rmSync(join(folder, name), { recursive: true });
      }
      for (const [link, target] of targets) linkDurably(target, link);
      for (const table of TABLES) {
        await stage.database.run(`DELETE FROM ${table}`);
        await stage.database.run(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
      }
    },
  };
}

const foldersOf = ({ agent: { home } }: Machine) => [
  home.root,
  join(home.root, 'bin'),
  home.releases,
  home.runtimes,
  home.state,
  home.downloads,
];
