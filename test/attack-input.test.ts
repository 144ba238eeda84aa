import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import type { AgentProcess } from '../dev/world/agent.ts';
import { until } from '../dev/world/until.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import type { Broker } from '../src/lib/broker.ts';
import type { Conn } from '../src/lib/conn.ts';
import { MegaError, UnavailableError } from '../src/lib/errors.ts';
import * as messages from '../src/lib/messages.ts';
import { openSender, type Sender } from '../src/lib/sender.ts';
import { EXCHANGE, hostQueue, QUEUE, upKey } from '../src/lib/topology.ts';
import { platform, uuidv7 } from '../src/lib/utils.ts';
import { HOSTILE, hostileTo, schemaOf } from './support/hostile-values.ts';
import { loginOf, operatorLogin } from './support/intruder.ts';
import { outcomeOf } from './support/orders.ts';
import { asHost, messagesIn } from './support/outage-once.ts';
import { dispatcherBroker } from './support/stream.ts';
import { ended, tasksOf, told, useWorld } from './support/world.ts';

const AT_ONCE = 8;
/** Nobody is cut off for how much he says: each message is to be judged by itself. */
const UNBOUNDED = { floodMessages: 1e6, floodBytes: 2 ** 40, floodCalls: 1e6, floodUnread: 1e6 };
/** An answer that tells of SQL, or of our own code, tells too much. */
const INNER = /\[(SELECT|INSERT|UPDATE|DELETE)\b|node_modules|\.ts:\d|sqlState|:\d+\/mega_/;
const CODES = new Set(['internal', 'database_error', 'bad_data']);
/** They go on by themselves: the head of the audit, and metadata that is signed anew. */
const MOVING = new Set(['audit_head', 'trust_metadata']);
/** What a line of ours may hold: no C0 but its end, no C1, nothing that turns text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/**
 * Hostile words in every string that an operator or a host can send, taken from the schemas themselves, so that what
 * is added is tried as well. Two hosts: `sender`, who says them, and `honest`, to whom nothing may happen.
 */
describe('SQL, shell, paths and control characters', () => {
  const world = useWorld({ dispatcher: UNBOUNDED });
  const id = (name: string) => `${world().name}-${name}`;
  const opened = new AsyncDisposableStack();
  let db: Conn;
  let dispatcher: Broker;
  let host: Broker;
  let honest: AgentProcess;
  let operators: Sender;
  let hosts: Sender;
  let known: string[];

  before(async () => {
    await world().publish('1.0.0');
    [honest] = (await world().addFleet([id('honest')], '1.0.0')) as [AgentProcess];
    const { home } = await world().addHost(id('sender'), '1.0.0');
    db = world().database();
    dispatcher = opened.use(await dispatcherBroker(world()));
    host = opened.use(await asHost(home));
    operators = opened.use(await openSender({ broker: operatorLogin(world()) }));
    hosts = opened.use(await openSender({ broker: loginOf(home) }));
    known = [id('sender'), '9.9.9', 'node-99.9.9', 'f'.repeat(64), `${'A'.repeat(47)}=`, 'linux-x64', 'eHg='];
    await pinged();
  });
  after(() => opened.disposeAsync());

  async function pinged(): Promise<void> {
    const { job } = await world().call<{ job: string }>('ping', { on: [id('honest')] });
    assert.equal(told((await ended(world(), job)).get(id('honest'))), 'succeeded  1.0.0');
  }

  /** Every row of every table that is not about the sender, but for what changes by itself. */
  async function recorded(): Promise<Map<string, Set<string>>> {
    const names = await db.query<{ name: string }>(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
    );
    const found = new Map<string, Set<string>>();
    for (const { name } of names.filter((one) => !MOVING.has(one.name))) {
      const rows = await db.query(`SELECT * FROM ${name}`);
      const told = rows.map(({ last_seen_at: _, read_at: __, lease_until: ___, catch_up_at: ____, ...row }) =>
        JSON.stringify(row),
      );
      found.set(name, new Set(told.filter((row) => !row.includes(id('sender')))));
    }
    return found;
  }

  /** While this is done, no table goes, and no row changes that is not about the sender. */
  async function changingNothing(work: () => Promise<void>): Promise<void> {
    const earlier = await recorded();
    await work();
    const now = await recorded();
    assert.deepEqual([...now.keys()], [...earlier.keys()]);
    for (const [table, rows] of earlier) {
      const gone = [...rows].filter((row) => !now.get(table)!.has(row));
      assert.deepEqual(gone, [], `of table ${table}`);
    }
    assert.equal(existsSync('/tmp/mega-was-here'), false);
    await pinged();
  }

  /** What is wrong with how this call was answered; nothing when it was carried out or refused in order. */
  async function faultOf(sender: Sender, name: string, args: unknown): Promise<string | undefined> {
    try {
      await sender.call(name, args as object);
      return undefined;
    } catch (error) {
      if (!(error instanceof MegaError)) return String(error);
      const { code, message } = error;
      const bad = error instanceof UnavailableError || CODES.has(code) || INNER.test(message);
      return bad ? `${code}: ${message.slice(0, 300)}` : undefined;
    }
  }

  test('in any argument of any function are values, or a reason to refuse the call', async () => {
    const attempts: { sender: Sender; name: string; at: string; args: unknown }[] = [];
    for (const { name, input, callers } of functions.values()) {
      const by = [
        ...(callers.includes('agent') ? [hosts] : []),
        ...(callers.includes('admin') ? [operators] : []),
      ];
      for (const { at, value } of hostileTo(schemaOf(input), known)) {
        for (const sender of by) attempts.push({ sender, name, at, args: value });
      }
    }
    for (const bad of HOSTILE.filter((one) => typeof one === 'string')) {
      attempts.push({ sender: hosts, name: bad.slice(0, 64), at: 'fn', args: {} });
    }
    assert.ok(attempts.length > 500, `only ${attempts.length} attempts`);
    const faults: string[] = [];
    await changingNothing(async () => {
      const waiting = attempts.values();
      const work = async () => {
        for (const { sender, name, at, args } of waiting) {
          const fault = await faultOf(sender, name, args);
          if (fault) faults.push(`${name} ${at} ${JSON.stringify(args).slice(0, 200)}: ${fault}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    });
    assert.deepEqual(faults, []);
  });

  test('in any word of a host are recorded as they are, or put aside with the reason', async () => {
    // What the sender has said that it runs, in one of its words, may be anything.
    const wanted = { to: '1.0.0', on: [id('sender')], downgrade: true };
    const { job } = await world().call<{ job: string }>('client_upgrade', wanted);
    const task = (await tasksOf(world(), job)).get(id('sender'))!.id;
    let sent = 0;
    await changingNothing(async () => {
      for (const schema of Object.values(messages)) {
        if (!(schema instanceof z.ZodType)) continue;
        for (const { value } of hostileTo(schemaOf(schema), known)) {
          const body = messages.encode({ host: id('sender'), task, ...(value as object) });
          const kinds = ['result', 'event'] as const;
          await Promise.all(kinds.map((kind) => publish(kind, kind, body)));
          sent++;
        }
      }
    });
    assert.ok(sent > 300, `only ${sent} messages`);
    const reasons = await takeReasons();
    assert.ok(reasons.length > 0);
    for (const reason of reasons) assert.doesNotMatch(reason, /database_error|internal/);
  });

  const publish = (kind: 'result' | 'event' | 'call', type: string, body: Buffer) =>
    host.publish({ exchange: EXCHANGE.up, key: upKey(kind, host.user), type, messageId: uuidv7(), body });

  async function takeReasons(): Promise<string[]> {
    const reasons: string[] = [];
    while ((await messagesIn(dispatcher, QUEUE.dead)) > 0) {
      await dispatcher.withChannel(async (channel) => {
        for (let message = await channel.get(QUEUE.dead, { noAck: true }); message; ) {
          reasons.push(String(message.properties.headers?.['x-reason']));
          message = await channel.get(QUEUE.dead, { noAck: true });
        }
      });
    }
    return reasons;
  }

  test('in an order, whoever has sent it, do an agent no harm', async () => {
    const pid = honest.agentPid;
    const upgrade = { order: messages.order.extend({ args: messages.upgradeArgs }) };
    for (const schema of [messages.order, upgrade.order]) {
      for (const { value } of hostileTo(schemaOf(schema), [id('honest'), 'client_upgrade', ...known])) {
        const now = Date.now();
        const times = { issued: now, expires: now + 60_000, timeoutMs: 5_000 };
        const body = messages.encode({ ...(value as object), ...times });
        const place = { exchange: EXCHANGE.task, key: id('honest'), type: 'order', messageId: uuidv7() };
        await dispatcher.publish({ ...place, body });
      }
    }
    await until(
      'all of them to be taken',
      async () => (await messagesIn(dispatcher, hostQueue(id('honest')))) === 0,
    );
    await pinged();
    assert.equal(honest.agentPid, pid, honest.log());
    assert.equal(honest.current, '1.0.0');
    assert.equal(existsSync('/tmp/mega-was-here'), false);
  });

  test('from a host do nothing to the terminal of the operator who reads them', async () => {
    const evil = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egpj\r\nroot# ';
    await hosts.call('client_ping', { boot: crypto.randomUUID(), version: '6.6.6', platform: platform() });
    const { job } = await world().call<{ job: string }>('ping', { on: [id('sender')] });
    const task = (await tasksOf(world(), job)).get(id('sender'))!.id;
    const about = { task, host: id('sender'), at: Date.now(), reason: evil };
    const output = { [evil]: evil };
    await publish(
      'event',
      'event',
      messages.encode({ kind: 'progress', ...about, seq: 1, state: 'running' }),
    );
    const end = { kind: 'result', ...about, seq: 2, state: 'failed', output, running: '6.6.6' };
    await publish('result', 'result', messages.encode(end));
    await ended(world(), job);
    for (const args of [
      ['host', 'list'],
      ['host', 'show', id('sender')],
      ['host', 'show', evil],
      ['job', 'list'],
      ['job', 'show', job],
      ['job', 'watch', job],
      ['task', 'list', '--host', id('sender')],
      ['task', 'show', task],
      ['task', 'show', evil],
      ['task', 'show', task, '--json'],
      ['api', 'call', 'get_task', JSON.stringify({ id: task })],
      ['api', 'call', evil],
      ['package', 'list'],
      ['package', 'remove', evil],
      ['package', 'publish', evil],
      ['upgrade', '--to', evil, '--on', id('sender')],
      ['ping', '--on', evil],
      [evil],
      ['host', 'add', evil, '--home', evil, '--package', evil],
    ]) {
      const { out, err } = await outcomeOf(world(), ...args);
      assert.doesNotMatch(out + err, CONTROL, `mega ${args.join(' ')}: ${JSON.stringify(out + err)}`);
    }
  });
});
