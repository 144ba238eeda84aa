import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { sendmail } from '../src/lib/mail.ts';

const received: string[] = [];
let busy = 0;
let url = '';
const server = new SMTPServer({
  authOptional: true,
  allowInsecureAuth: true,
  onAuth: (auth, _session, done) =>
    done(auth.password === 'right' ? null : new Error('wrong'), { user: 'u' }),
  onRcptTo: ({ address }, _session, done) => {
    if (address.startsWith('nobody'))
      return done(Object.assign(new Error('no such user'), { responseCode: 550 }));
    if (busy-- > 0) return done(Object.assign(new Error('try later'), { responseCode: 451 }));
    done();
  },
  onData: (stream, _session, done) => {
    let text = '';
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    stream.on('end', () => {
      received.push(text);
      done();
    });
  },
  disabledCommands: ['STARTTLS'],
});

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  url = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
});
after(() => new Promise<void>((done) => server.close(done)));

const mail = {
  from: 'mega@example.org',
  to: 'ops@example.org',
  subject: 'host lost',
  text: 'db-01 is silent',
};

test('a mail arrives with its subject and text', async () => {
  const id = await sendmail(mail, { url });
  assert.match(id, /@/);
  assert.match(received.at(-1) ?? '', /Subject: host lost[\s\S]*db-01 is silent/);
});

test('a server that says "later" is asked again', async () => {
  busy = 2;
  const before = received.length;
  await sendmail(mail, { url, retries: 3 });
  assert.equal(received.length, before + 1);
});

test('a recipient who is refused is named, with what the server said, and not tried again', async () => {
  const refused = sendmail({ ...mail, to: 'nobody@example.org' }, { url });
  await assert.rejects(refused, {
    code: 'mail_refused',
    message: /nobody@example\.org was refused: .*no such user/,
  });
});

test('a server that is not there is named, and its password is not', async () => {
  const away = sendmail(mail, { url: 'smtp://me:hush@127.0.0.1:1', retries: 0 });
  await assert.rejects(away, (error: Error) => {
    assert.match(error.message, /127\.0\.0\.1:1: .*ECONNREFUSED/);
    return !error.message.includes('hush');
  });
});

test('an address that is no SMTP URL is refused before anything is sent', async () => {
  await assert.rejects(sendmail(mail, { url: 'http://127.0.0.1' }), { code: 'bad_argument' });
});
