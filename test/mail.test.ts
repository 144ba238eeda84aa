import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { makeAuthority, makeServerPair, openAuthority, type Pair } from '../src/cli/certs/authority.ts';
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
  const { id, accepted } = await sendmail(mail, { url });
  assert.deepEqual(accepted, ['ops@example.org']);
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

describe('over TLS', () => {
  let ours: Pair;
  let certificate: Pair;

  before(async () => {
    ours = await makeAuthority(9);
    certificate = await makeServerPair(openAuthority(ours), ['127.0.0.1'], 8);
  });

  /** A mail by way of a server with these settings. */
  async function by(settings: SMTPServerOptions, scheme: string, tail = '', ca = ours.certificate) {
    const onData: SMTPServerOptions['onData'] = (stream, session, done) => {
      stream.resume();
      stream.on('end', () => done(null, session.secure ? 'over TLS' : 'plainly'));
    };
    const one = new SMTPServer({ authOptional: true, onData, ...settings });
    one.on('error', () => undefined);
    one.listen(0, '127.0.0.1');
    await once(one.server, 'listening');
    const { port } = one.server.address() as AddressInfo;
    try {
      const sent = await sendmail(mail, {
        url: `${scheme}://127.0.0.1:${port}/${tail}`,
        ca,
        retries: 0,
        timeoutMs: 3_000,
      });
      return sent.id;
    } finally {
      one.close();
    }
  }
  const pem = ({ certificate: cert, key }: Pair) => ({ cert, key });
  const secured = (pair: Pair) => ({
    ...pem(pair),
    onMailFrom: (_address: unknown, session: { secure: boolean }, done: (error?: Error) => void) =>
      done(session.secure ? undefined : new Error('not without TLS')),
  });

  test('a mail goes by STARTTLS, and by TLS from the first byte, to whom our CA vouches for', async () => {
    assert.match(await by(secured(certificate), 'smtp', '?tls=on'), /@/);
    assert.match(await by({ ...secured(certificate), secure: true }, 'smtps'), /@/);
  });

  test('a server that another CA vouches for, or of another name, gets nothing', async () => {
    const other = (await makeAuthority(9)).certificate;
    for (const [secure, scheme, tail] of [
      [true, 'smtps', ''],
      [false, 'smtp', '?tls=on'],
    ] as const) {
      const refused = by({ ...pem(certificate), secure }, scheme, tail, other);
      await assert.rejects(refused, { code: 'mail_failed', message: /not made by a CA that we trust/ });
      const elsewhere = await makeServerPair(openAuthority(ours), ['mail.example.org'], 8);
      await assert.rejects(by({ ...pem(elsewhere), secure }, scheme, tail), {
        message: /is for another name/,
      });
    }
    const ended = await makeServerPair(openAuthority(ours), ['127.0.0.1'], -0.5);
    await assert.rejects(by({ ...pem(ended), secure: true }, 'smtps'), { message: /has expired/ });
  });

  test('a server that offers no STARTTLS, or takes it away, gets no mail plainly instead', async () => {
    const without = by({ disabledCommands: ['STARTTLS'] }, 'smtp', '?tls=on');
    await assert.rejects(without, { message: /speaks no TLS there/ });
    await assert.rejects(by({ disabledCommands: ['STARTTLS'] }, 'smtps'), { message: /speaks no TLS there/ });
    await assert.rejects(by({ ...pem(certificate), secure: true }, 'smtp'), { message: /wants smtps:/ });
  });

  test('a URL cannot turn the verification off', async () => {
    const tail = '?tls=on&tls.rejectUnauthorized=false';
    await assert.rejects(by(pem(certificate), 'smtp', tail), { code: 'bad_argument' });
  });
});

test('an address that is no SMTP URL is refused before anything is sent', async () => {
  await assert.rejects(sendmail(mail, { url: 'http://127.0.0.1' }), { code: 'bad_argument' });
});
