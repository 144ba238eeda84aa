import { codeOf, describe, MegaError, UnavailableError } from '../../lib/errors.ts';
import { call, decode, encode, type Reply } from '../../lib/messages.ts';
import { type Incoming, Subscription } from '../../lib/subscription.ts';
import { QUEUE, REPLY_QUEUE } from '../../lib/topology.ts';
import { signBody } from '../../lib/trust/jose.ts';
import { park } from '../park.ts';
import { checkSender, type Sender } from './callers.ts';
import type { Room } from './function.ts';
import { dispatch, functions } from './registry.ts';

/** Many, since a call that waits for a job's end keeps its place meanwhile. */
const PREFETCH = 256;
const PUBLISHER_MS = 10_000;
const AGAIN_MS = 1_000;

type Refusal = Extract<Reply, { ok: false }>['error'];

/** Answers the calls in `mega.api`. Any dispatcher may take any call. */
export function serveCalls(room: Room): Subscription {
  return new Subscription(
    room.consumer,
    {
      queue: QUEUE.api,
      prefetch: PREFETCH,
      onTrouble: (error) => room.logger.warn({ error: describe(error) }, 'not taking calls'),
    },
    (message) => void answer(room, message),
  );
}

async function answer(room: Room, message: Incoming): Promise<void> {
  if (room.floods.drops(message, 'calls')) return message.ack();
  let asked: ReturnType<typeof read>;
  try {
    asked = read(message);
  } catch (error) {
    room.floods.noteUnread(message);
    return park(room, message, describe(error));
  }
  try {
    // Of our two connections this one may come back later: until then there is no way to answer.
    await room.publisher.ready(PUBLISHER_MS);
    await sendReply(room, message, await carryOut(room, asked));
    message.ack();
  } catch (error) {
    room.logger.warn({ fn: asked.asked.fn, error: describe(error) }, 'an answer was not sent');
    // Every call may be carried out again, by its key; once is enough, since the caller asks again itself.
    if (message.redelivered) message.ack();
    else setTimeout(() => message.nack(true), AGAIN_MS).unref();
  }
}

/** A caller that has gone away gets nothing, and the broker drops the answer. */
async function sendReply(room: Room, message: Incoming, { reply, signed }: Answer) {
  const { replyTo, correlationId, messageId } = message;
  const address = { exchange: '', key: replyTo, correlationId };
  const body = encode(signed ? { ...reply, id: messageId } : reply);
  const headers = signed ? { jws: await signBody(body, room.orderKey) } : {};
  await room.publisher.publish({
    ...address,
    type: 'reply',
    messageId,
    headers,
    body,
    transient: true,
  });
}

function read(message: Incoming) {
  const asked = decode(call, message.body);
  if (!message.replyTo || !message.messageId)
    throw new MegaError('malformed', 'a call needs reply-to and message-id');
  // We may write to any queue and a caller may not: through us it must reach none but its own.
  if (!message.replyTo.startsWith(`${REPLY_QUEUE}.`))
    throw new MegaError('wrong_reply_to', `an answer goes to the caller alone, not to ${message.replyTo}`);
  checkSender(message.userId);
  const sender: Sender = { id: message.userId, key: message.messageId };
  return { asked, sender };
}

type Answer = { reply: Reply; signed: boolean };

async function carryOut(room: Room, { asked, sender }: ReturnType<typeof read>): Promise<Answer> {
  const signed = functions.get(asked.fn)?.signed ?? false;
  try {
    return { reply: { v: 1, ok: true, result: await dispatch(room, asked, sender) }, signed };
  } catch (error) {
    const told = tellingNothing(error);
    if (told ?? error instanceof UnavailableError)
      room.logger.error({ fn: asked.fn, caller: sender.id, error: describe(error) }, 'a call failed');
    const later = error instanceof UnavailableError;
    const refusal = told ?? { code: codeOf(error), message: describe(error), later };
    return { reply: { v: 1, ok: false, error: refusal }, signed: false };
  }
}

/** What a caller is told of an error that may hold anything, such as statements and addresses; the log has all of it. */
function tellingNothing(error: unknown): Refusal | undefined {
  const code = error instanceof MegaError ? error.code : 'internal';
  if (code === 'bad_data')
    return { code: 'bad_argument', message: 'a value holds what the database cannot keep', later: false };
  if (code !== 'internal' && !code.startsWith('database_')) return undefined;
  const what = code === 'database_unavailable' ? 'the database cannot be had now' : 'the dispatcher failed';
  return { code, message: `${what}; its log says why`, later: true };
}
