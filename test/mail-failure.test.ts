import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tableOf } from '../src/lib/mail/table.ts';
import { MailError, openMail, sendmail } from '../src/lib/mail.ts';
import { type Answer, startBrokenSmtp, startSmtp, usual } from './support/smtp.ts';

const mail = { from: 'Mega <mega@example.org>', to: 'ops@example.org', subject: 'host lost', text: 'db-01' };
const quick = { timeoutMs: 250, pauseMs: 5 };
const smtpError = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

describe('a mail to several', () => {
  const several = {
    ...mail,
    to: ['a@example.org', 'B <b@example.org>'],
    cc: 'c@example.org',
    bcc: 'd@example.org',
  };

  test('names who was refused and why, and who got it, and reaches nobody twice', async () => {
    let greylisted = 2;
    await using server = await startSmtp({
      onRcptTo: ({ address }, _session, done) => {
        if (address.startsWith('b')) return done(smtpError(550, 'no such user here'));
        if (address.startsWith('c') && greylisted-- > 0) return done(smtpError(451, 'greylisted, try later'));
        done();
      },
    });
    const error = await sendmail(several, { url: server.url, ...quick }).catch((one: unknown) => one);
    assert.ok(error instanceof MailError);
    assert.equal(error.code, 'mail_partly_sent');
    assert.match(
      error.message,
      /^mail to b@example\.org was refused: .*550 no such user here; it went to a@/,
    );
    assert.deepEqual(error.accepted.sort(), ['a@example.org', 'c@example.org', 'd@example.org']);
    assert.deepEqual(
      error.refused.map(({ recipient, later }) => [recipient, later]),
      [['b@example.org', false]],
    );
    assert.deepEqual(
      server.received.map(({ to }) => to.toSorted()),
      [['a@example.org', 'd@example.org'], ['c@example.org']],
    );
    const [first, second] = server.received.map(({ text }) => /^Message-ID: .*$/m.exec(text)?.[0]);
    assert.equal(first, second, 'the same mail');
    assert.doesNotMatch(server.received[0]!.text, /d@example/, 'who gets a blind copy is not told');
  });

  test('that a server greylists to the end says so, and who got it', async () => {
    await using server = await startSmtp({
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith('c') ? smtpError(451, 'greylisted') : null),
    });
    const late = sendmail(several, { url: server.url, retries: 1, ...quick });
    await assert.rejects(late, {
      code: 'mail_partly_sent',
      message: /^mail to c@example\.org was not sent by smtp:.*451 greylisted; it went to a@example\.org, b@/,
    });
    assert.equal(server.received.length, 1);
  });
});

describe('a server that fails', () => {
  const sending = async (answer: (command: string) => Answer, retries = 0) => {
    await using server = await startBrokenSmtp(answer);
    const error = await sendmail(mail, { url: server.url, retries, ...quick }).then(
      () => undefined,
      (one: unknown) => one as MailError,
    );
    return { error, heard: server.heard };
  };
  const at = (where: string, answer: Answer) => (command: string) =>
    command === where ? answer : usual(command);

  test('by silence, wherever, is given up, and the mail called failed', async () => {
    for (const where of ['greeting', 'EHLO', 'MAIL', 'DATA', 'end']) {
      const began = performance.now();
      const { error } = await sending(at(where, undefined));
      assert.equal(error?.code, 'mail_failed', where);
      assert.match(
        error!.message,
        /mail to ops@example\.org was not sent by smtp:\/\/127\.0\.0\.1:\d+: (Greeting never|Timeout)/,
      );
      assert.ok(performance.now() - began < 2_000, where);
    }
  });

  test('by a word now and then for ever is given up as well', async () => {
    await using server = await startBrokenSmtp(at('MAIL', 'drip'));
    const began = performance.now();
    const drips = sendmail(mail, { url: server.url, retries: 0, timeoutMs: 120 });
    await assert.rejects(drips, { code: 'mail_failed', message: /the server took too long/ });
    assert.ok(performance.now() - began < 2_000);
  });

  test('by breaking off in the midst of a mail is tried again', async () => {
    let times = 0;
    const breaks = (command: string) =>
      command === 'end' && ++times < 3 ? ('end' as const) : usual(command);
    const { error, heard } = await sending(breaks, 3);
    assert.equal(error, undefined);
    assert.equal(heard.filter((one) => one === 'end').length, 3);
    const { error: always } = await sending(at('end', 'end'), 1);
    assert.equal(always?.code, 'mail_failed');
    assert.deepEqual(
      always?.refused.map(({ later }) => later),
      [true],
    );
  });

  test('by refusing the text itself, or the sender, is believed', async () => {
    const { error: spam, heard } = await sending(at('end', '554 this is spam'), 3);
    assert.equal(spam?.code, 'mail_refused');
    assert.match(spam!.message, /ops@example\.org was refused: .*554 this is spam/);
    assert.equal(heard.filter((one) => one === 'end').length, 1);
    const { error: sender } = await sending(at('MAIL', '553 not your name'), 3);
    assert.match(sender!.message, /was refused: .*553 not your name/);
    const { error: full } = await sending(at('MAIL', '452 disk full'), 1);
    assert.equal(full?.code, 'mail_failed');
  });
});

test('many mails go over few connections, which close with the mailer', async () => {
  await using server = await startSmtp();
  const mailer = openMail({ url: server.url, from: 'mega@example.org', connections: 2 });
  const all = Array.from({ length: 20 }, (_, i) =>
    mailer.send({ to: `u${i}@example.org`, subject: `${i}`, text: '' }),
  );
  await mailer.close();
  assert.equal((await Promise.all(all)).length, 20);
  assert.equal(server.received.length, 20);
  assert.ok(server.connections() <= 2);
  await mailer.close();
  await assert.rejects(mailer.send(mail), { code: 'closed' });
});

test('a mailer goes on after its server was away', async () => {
  await using mailer = openMail({ url: 'smtp://127.0.0.1:1', retries: 0, ...quick });
  await assert.rejects(mailer.send(mail), { code: 'mail_failed' });
  await assert.rejects(mailer.send(mail), { code: 'mail_failed', message: /ECONNREFUSED/ });
});

test('a dry run sends nothing and gives the whole message, picture and table in it', async () => {
  await using mailer = openMail({ dry: true });
  const table = tableOf([{ host: 'db-01', rows: 12 }]);
  const picture = { cid: 'load', filename: 'load.png', content: Buffer.from('picture') };
  const html = `<img src="cid:load">${table.html}`;
  const { id, accepted, message } = await mailer.send({ ...mail, ...table, html, attachments: [picture] });
  assert.deepEqual(accepted, ['ops@example.org']);
  assert.ok(message!.includes(`Message-ID: ${id}`));
  for (const words of ['host   rows', 'cid:load', 'Content-ID: <load>', 'Content-Disposition: inline'])
    assert.ok(message!.includes(words), words);
});

test('a table is text in both forms, whatever the rows hold', () => {
  const at = new Date('2026-01-02T03:04:05.000Z');
  const { text, html } = tableOf([
    { host: 'db-01', rows: 12, note: '<b>&"it\'s"', at },
    { host: 'db-2', rows: 3_000n, note: 'two\nlines\u001b[31m', bytes: Buffer.from('abc'), more: { a: 1 } },
  ]);
  assert.equal(
    text,
    [
      'host   rows  note            at                           bytes    more   ',
      '-----  ----  --------------  ---------------------------  -------  -------',
      'db-01    12  <b>&"it\'s"      2026-01-02 03:04:05.000 UTC',
      'db-2   3000  two lines [31m                               3 bytes  {"a":1}',
      '',
    ]
      .map((line) => line.trimEnd())
      .join('\n'),
  );
  assert.ok(html.includes('&lt;b&gt;&amp;&quot;it&#39;s&quot;') && !html.includes('<b>'));
  assert.match(tableOf([]).text, /no rows/);
  assert.deepEqual(tableOf([{ a: 1, b: 2 }], { columns: ['b'] }).text, 'b\n-\n2\n');
});

test('what is wrong with the mail itself is said before anything is tried', async () => {
  const wrong = (more: object, message: RegExp) =>
    assert.rejects(sendmail({ ...mail, ...more }, { url: 'smtp://127.0.0.1:1' }), {
      code: 'bad_argument',
      message,
    });
  await wrong({ to: [] }, /^to: /);
  await wrong({ to: 'nobody' }, /^to: "nobody" is no address/);
  await wrong({ from: undefined }, /^from: .*MEGA_MAIL_FROM/);
  await assert.rejects(sendmail(mail), { code: 'no_config', message: /MEGA_SMTP/ });
  await using server = await startSmtp();
  const missing = sendmail({ ...mail, attachments: [{ path: '/nowhere/x.png' }] }, { url: server.url });
  await assert.rejects(missing, {
    code: 'bad_argument',
    message: /\/nowhere\/x\.png cannot be read: ENOENT/,
  });
  const fetched = sendmail({ ...mail, attachments: [{ path: 'http://127.0.0.1/x' }] }, { url: server.url });
  await assert.rejects(fetched, { code: 'bad_argument' });
});
