import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { makeAuthority, makeServerPair, openAuthority } from '../src/cli/certs/authority.ts';
import { gatherWrites } from '../src/lib/gather.ts';

/** A socket whose writes are gathered, and the other end of it. */
async function pair(): Promise<{ near: Socket; far: Socket } & AsyncDisposable> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  near.setNoDelay(true);
  gatherWrites(near);
  const close = async () => {
    near.destroy();
    far.destroy();
    server.close();
    await once(server, 'close');
  };
  return { near, far, [Symbol.asyncDispose]: close };
}

async function read(far: Socket, bytes: number): Promise<{ text: string; pieces: number }> {
  let text = '';
  let pieces = 0;
  for await (const piece of far.setEncoding('latin1').iterator({ destroyOnReturn: false })) {
    text += piece;
    pieces++;
    if (text.length >= bytes) break;
  }
  return { text, pieces };
}

test('what one callback writes arrives whole, in its order, and as one piece', async () => {
  await using ends = await pair();
  const words = Array.from({ length: 100 }, (_, i) => `word ${i};`);
  for (const word of words) ends.near.write(word);
  const { text, pieces } = await read(ends.far, words.join('').length);
  assert.equal(text, words.join(''));
  assert.equal(pieces, 1);
});

test('over TLS, too, what one callback writes arrives whole, in its order, and as one piece', async () => {
  await using ends = await pair();
  const made = await makeServerPair(openAuthority(await makeAuthority(2)), ['localhost'], 1);
  const secured = new TLSSocket(ends.far, { isServer: true, cert: made.certificate, key: made.key });
  const near = connectTls({ socket: ends.near, rejectUnauthorized: false });
  await once(near, 'secureConnect');
  gatherWrites(near);
  const words = Array.from({ length: 100 }, (_, i) => `word ${i};`);
  for (const word of words) near.write(word);
  const { text, pieces } = await read(secured, words.join('').length);
  assert.equal(text, words.join(''));
  assert.equal(pieces, 1);
});

test('nothing waits for a second write', async () => {
  await using ends = await pair();
  for (const word of ['first', 'other']) {
    ends.near.write(word);
    assert.equal((await read(ends.far, word.length)).text, word);
  }
});

test('a writer is still told when the other end does not keep up, and when it may go on', async () => {
  await using ends = await pair();
  const block = 'x'.repeat(64 << 10);
  let sent = 0;
  while (ends.near.write(block, 'latin1')) {
    sent++;
    await new Promise(setImmediate);
  }
  const drained = once(ends.near, 'drain');
  const { text } = await read(ends.far, (sent + 1) * block.length);
  await drained;
  assert.equal(text.length, (sent + 1) * block.length);
});

test('the callback of each write is called', async () => {
  await using ends = await pair();
  const done = [1, 2, 3].map((n) => new Promise((resolve) => ends.near.write(`${n}`, () => resolve(n))));
  assert.deepEqual(await Promise.all(done), [1, 2, 3]);
});
