import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../dev/world/until.ts';
import type { Alert, AuditedCall, SentMail } from '../src/cli/answers.ts';
import { raiseAlert, raiseAlerts, remindOf } from '../src/dispatcher/alerts/raise.ts';
import { functions } from '../src/dispatcher/api/registry.ts';
import { giveUpMail } from '../src/dispatcher/store/alert-mails.ts';
import { giveUpWaiting } from '../src/dispatcher/store/alerts.ts';
import type { AlertKind } from '../src/lib/alerts.ts';
import type { Conn } from '../src/lib/conn.ts';
import { asOwnerOf } from './support/people.ts';
import { type Letter, Postbox } from './support/postbox.ts';
import { useWorld } from './support/world.ts';

/** Open before the world is configured. */
const postbox = await Postbox.open();
after(() => postbox.close());

const OPS = ['ops@example.org', 'night@example.org'];
const SPACING_MS = 600;
const alerts = {
  ...{ kinds: ['job_paused', 'job_failed', 'quarantined', 'host_lost', 'host_back', 'expiring', 'trouble'] },
  ...{ lostAfterMs: 1_500, gatherMs: 400, maxPerHour: 3_600_000 / SPACING_MS, retryMs: 200 },
};
const dispatcher = {
  ...{ alerts, offlineAfterMs: 1_000, expiryWarningMs: 3_650 * 86_400_000 },
  mail: { url: postbox.url, from: 'mega@example.org', to: OPS, timeoutMs: 2_000 },
};

describe('two dispatchers', () => {
  const world = useWorld({ dispatcher }, { dispatchers: 2 });
  let db: Conn;
  before(() => {
    db = world().database();
  });

  const listed = (kind?: AlertKind) => world().call<Alert[]>('get_all_alert', { kind, limit: 50 });
  const said = (word: string) => postbox.letters.filter((one) => one.text.includes(word));
  const untilTold = (word: string) => until(`a mail that says ${word}`, () => said(word)[0], { pollMs: 20 });
  const quiet = () =>
    until('no mail to be under way', async () => {
      const open =
        'SELECT id FROM alerts WHERE waiting = 1 UNION ALL SELECT id FROM alert_mails WHERE under_way = 1';
      return (await db.query(open)).length === 0;
    });
  const raise = (kind: AlertKind, about: string, text = 'see there') => raiseAlert(db, { kind, about, text });
  const subjectOf = (letter: Letter | undefined) => letter?.headers.get('subject')?.[0];
  const idOf = (letter: Letter | undefined) => letter?.headers.get('message-id')?.[0];

  /** Hosts that were there, and were heard last so long ago. */
  const addHosts = (names: string[], silentMs: number) =>
    db.run('INSERT INTO hosts (id, registered_at, online, last_seen_at, boot, version) VALUES ?', [
      names.map((id) => [id, new Date(), 1, new Date(Date.now() - silentMs), null, '1.0.0']),
    ]);
  /** From now on for as long as this test runs. */
  const hear = (host: string) =>
    db.run('UPDATE hosts SET online = 1, last_seen_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR WHERE id = ?', [
      host,
    ]);

  test('tell once what is about to expire, however often each of them looks', async () => {
    await untilTold('root.json');
    await untilTold('targets.json');
    await quiet();
    assert.equal((await listed('expiring')).length, 2);
    assert.match(
      said('root.json')[0]!.text,
      /root\.json: root\.json expires in \d+ days.*mega keys renew root/,
    );
  });

  test('make one mail of a thousand lost hosts, and one of them sends it, however slowly it is taken', async () => {
    postbox.delayMs = 1_500;
    const names = Array.from({ length: 1_000 }, (_, i) => `many-${i}`);
    await addHosts(names, 10_000);
    const letter = await untilTold('1000 hosts lost');
    assert.equal(subjectOf(letter), 'mega: 1000 hosts lost');
    assert.deepEqual(letter.to.toSorted(), OPS.toSorted());
    assert.equal(
      letter.text.match(/many-\d+: not heard of since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g)?.length,
      20,
    );
    assert.match(letter.text, /and 980 more/);
    assert.match(letter.html, /<li>and 980 more<\/li>/);
    await quiet();
    postbox.delayMs = 0;
    assert.equal(said('lost').length, 1);
    const all = await world().json<Alert[]>('alert', 'list', '--kind', 'host_lost', '--limit', '2000');
    assert.equal(new Set(all.filter((one) => one.mail === 'sent').map((one) => one.about)).size, 1_000);
  });

  test('tell of a host that is back only where it was told to be lost, and not of one that said goodbye', async () => {
    await addHosts(['left', 'away-shortly'], 0);
    await db.run("UPDATE hosts SET online = 0, left_at = last_seen_at WHERE id = 'left'");
    await until('a host to count as away', () =>
      db.one("SELECT id FROM hosts WHERE id = 'away-shortly' AND online = 0"),
    );
    for (const host of ['left', 'away-shortly', 'many-7']) await hear(host);
    const letter = await untilTold('host back');
    assert.equal(subjectOf(letter), 'mega: host back: many-7');
    assert.match(letter.text, /many-7: is heard again, with version 1\.0\.0; it counted as lost since /);
    await db.run(
      "UPDATE hosts SET online = 0, left_at = UTC_TIMESTAMP(3), last_seen_at = left_at WHERE id = 'left'",
    );
    await db.run(
      "UPDATE hosts SET last_seen_at = UTC_TIMESTAMP(3) - INTERVAL 9 SECOND WHERE id = 'away-shortly'",
    );
    assert.match((await untilTold('away-shortly')).text, /host lost/);
    await quiet();
    assert.deepEqual(
      (await listed()).filter((one) => one.about === 'left'),
      [],
    );
  });

  test('say what was held back, when more mails would go than an hour is to have', async () => {
    await raise('quarantined', '1.2.0');
    const first = await untilTold('1.2.0');
    for (const about of ['1.3.0', '1.4.0', '1.5.0'])
      await raise('quarantined', about, `${about} was rolled back`);
    await raise('quarantined', '1.5.0', '1.5.0 was rolled back on 7 hosts');
    const second = await untilTold('1.3.0 was');
    assert.equal(subjectOf(second), 'mega: 3 versions quarantined');
    assert.match(second.text, /3 of these were held back for a while: at most 6000 mails go in an hour/);
    assert.match(second.text, /1\.5\.0: 1\.5\.0 was rolled back on 7 hosts/);
    assert.ok(second.at - first.at >= SPACING_MS - 100, `${second.at - first.at} ms apart`);
  });

  test('keep what they cannot mail while the mail server is away, work on, and send it when it is back', async () => {
    await quiet();
    await postbox.close();
    await raise('job_paused', 'job-1', 'errors: 3 of 2');
    const waits = async () => (await listed('job_paused'))[0];
    await until('the failure to be told', async () => (await waits())?.mailError);
    await raise('job_paused', 'job-2', 'errors: 4 of 2');
    const [latest, first] = await listed('job_paused');
    assert.equal(latest?.mail, 'waiting');
    assert.match(first?.mailError ?? '', /ECONNREFUSED/);
    assert.match(await world().mega('alert', 'list'), /job-1 +waiting: .*ECONNREFUSED.* errors: 3 of 2/);
    await addHosts(['works-on'], 10_000); // another loop
    await until('a host to be lost', async () => (await listed('host_lost'))[0]?.about === 'works-on');
    const before = postbox.letters.length;
    await postbox.open();
    for (const word of ['job-1', 'job-2', 'works-on']) await untilTold(word);
    await quiet();
    for (const word of ['job-1', 'job-2', 'works-on']) assert.equal(said(word).length, 1, word);
    assert.equal(postbox.letters.length, before + 2, 'what had failed, and all that came meanwhile');
    const { mail, mailError } = (await waits())!;
    assert.deepEqual({ mail, mailError }, { mail: 'sent', mailError: null });
  });

  test('try again, under the same message id, what the mail server refuses', async () => {
    postbox.refusal = { responseCode: 554, message: 'mailbox is full' };
    await raise('job_failed', 'job-3');
    const [failed] = await until('the refusal to be told', async () => {
      const found = await listed('job_failed');
      return found[0]?.mailError ? found : undefined;
    });
    assert.match(failed!.mailError!, /was refused: .*mailbox is full/);
    postbox.refusal = undefined;
    const letter = await untilTold('job-3');
    await quiet();
    assert.equal(said('job-3').length, 1);
    // As it is when a dispatcher dies after the server took the mail and before that is written down.
    await db.run('UPDATE alert_mails SET under_way = 1, sent_at = NULL, lease_until = NULL WHERE id = ?', [
      /<(.+)@/.exec(idOf(letter)!)![1]!,
    ]);
    const [, again] = await until('the mail to be sent once more', () => said('job-3')[1] && said('job-3'));
    assert.deepEqual([idOf(again), again?.text], [idOf(letter), letter.text]);
    await quiet();
    assert.equal(said('job-3').length, 2);
  });

  test('count what could not be mailed for too long in the next mail that goes', async () => {
    await postbox.close();
    const [one, two, three] = ['job-4', 'job-5', 'job-6'].map((about) => ({
      kind: 'job_failed' as const,
      about,
      text: '-',
    }));
    await raise('job_failed', one!.about);
    await until('a mail to have failed', async () => (await listed('job_failed'))[0]?.mailError);
    await raiseAlerts(db, [two!, three!]);
    const givenUp = await until('the mail to be given up', () => giveUpMail(db, 0), { pollMs: 20 });
    assert.equal(givenUp + (await giveUpWaiting(db, 0, 100)), 3);
    assert.deepEqual(
      (await listed('job_failed')).slice(0, 3).map((alert) => alert.mail),
      ['given_up', 'given_up', 'given_up'],
    );
    await postbox.open();
    const letter = await untilTold('in no mail');
    assert.match(letter.text, /3 earlier alerts are in no mail/);
    assert.equal(said('job-4').length, 0);
    await raiseAlerts(db, [one!, two!, three!]);
    assert.equal(await giveUpWaiting(db, 60_000, 1), 2, 'more wait than are to be kept: the oldest go');
    await quiet();
  });

  test('send nothing of the kinds that are not wanted, and list them', async () => {
    await raise('job_finished', 'job-7');
    const one = await until('it to be passed over', async () => {
      const [found] = await listed('job_finished');
      return found?.mail === 'none' ? found : undefined;
    });
    assert.equal(one.about, 'job-7');
    assert.equal(said('job-7').length, 0);
  });

  test('show what a host wrote as text, and let it write no header and no address', async () => {
    const about = 'job-8\r\nBcc: thief@example.org\r\n\r\n<script>';
    await raise('job_failed', about, '<b onclick="x()">\r\n.\r\nMAIL FROM:<thief@example.org>');
    const letter = await untilTold('job-8');
    assert.deepEqual(letter.to.toSorted(), OPS.toSorted());
    assert.ok(!letter.headers.has('bcc'));
    assert.equal(letter.headers.get('auto-submitted')?.[0], 'auto-generated');
    assert.match(letter.html, /&lt;script&gt;.*&lt;b onclick=&quot;x\(\)&quot;&gt;/);
    assert.doesNotMatch(letter.html, /<script|<b onclick/);
  });

  test('tell each alert once, if it is raised by several at the same time', async () => {
    await quiet();
    const alert = { kind: 'trouble', about: 'somewhere', text: 'tried' } as const;
    await Promise.all(Array.from({ length: 8 }, () => db.transaction((tx) => raiseAlert(tx, alert))));
    await assert.rejects(
      db.transaction(async (tx) => {
        await raiseAlert(tx, { ...alert, about: 'nowhere' });
        throw new Error('it came to nothing');
      }),
    );
    await untilTold('somewhere');
    await remindOf(db, alert, 60_000);
    await quiet();
    assert.equal(said('somewhere').length, 1);
    assert.equal(said('nowhere').length, 0);
  });

  test('send mails for operators, write that down, and send none with a line in its subject', async () => {
    const sent = await world().json<SentMail>('mail', 'test');
    assert.deepEqual(sent.to, OPS);
    assert.match((await untilTold('has asked for this mail')).text, new RegExp(`^op_${world().name} `));
    assert.match(
      await world().mega('mail', 'test', '--to', 'me@example.org'),
      /took a mail to me@example\.org/,
    );
    const mail = { to: ['you@example.org'], subject: 'Grüße', text: 'plain', html: '<p>rich</p>' };
    const { messageId } = await world().call<SentMail>('send_mail', mail);
    const letter = postbox.letters.find((one) => idOf(one) === messageId);
    assert.deepEqual(
      [letter?.to, letter?.text.trim(), letter?.html.trim()],
      [mail.to, 'plain', '<p>rich</p>'],
    );
    const before = postbox.letters.length;
    for (const bad of [{ subject: 'a\r\nBcc: x@y.z' }, { to: ['a@b.c, d@e.f'] }, { to: [] }])
      await assert.rejects(world().call('send_mail', { ...mail, ...bad }), { code: 'bad_argument' });
    assert.equal(postbox.letters.length, before);
    assert.ok(!functions.get('send_mail')?.callers.includes('viewer'));
    const audit = await world().json<AuditedCall[]>('audit', 'list', '--fn', 'send_mail');
    assert.deepEqual(
      audit.map((one) => one.outcome),
      ['bad_argument', 'bad_argument', 'bad_argument', 'ok'],
    );
    postbox.refusal = { responseCode: 550, message: 'we know no mega' };
    const failed = await asOwnerOf(world().operatorConfig, 'mail', 'test');
    postbox.refusal = undefined;
    assert.equal(failed.code, 1);
    assert.match(failed.err, /was refused: .*we know no mega/);
  });

  test('have the password of the mail server in no log, no row and no answer', async () => {
    const logs = readdirSync(world().folder).filter((name) => name.endsWith('.log'));
    const texts = logs.map((name) => readFileSync(join(world().folder, name), 'utf8'));
    assert.ok(texts.length >= 2 && texts.some((text) => text.includes('a mail was not sent; it waits')));
    const rows = await db.query('SELECT * FROM alert_mails');
    const answers = [await world().call('test_mail'), await listed(), rows];
    for (const text of [...texts, JSON.stringify(answers)])
      for (const secret of postbox.secrets) assert.ok(!text.includes(secret));
  });
});
