import { codeOf, describe, MegaError, UnavailableError } from '../../lib/errors.ts';
import { call, decode, encode, type Reply } from '../../lib/messages.ts';
import { type Incoming, Subscription } from '../../lib/subscription.ts';
import { OPERATOR_PREFIX, QUEUE } from '../../lib/topology.ts';
import { HOST_ID } from '../../lib/utils.ts';
import { park } from '../park.ts';
import type { Caller, Room } from './function.ts';
import { dispatch } from './registry.ts';

const PREFETCH = 64;

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
  let asked: ReturnType<typeof read>;
  try {
    asked = read(message);
  } catch (error) {
    return park(room, message, describe(error));
  }
  const reply = await carryOut(room, asked);
  // A caller that has gone away gets nothing, and the broker drops the answer.
  const address = { exchange: '', key: message.replyTo, correlationId: message.correlationId };
  await room.publisher
    .publish({
      ...address,
      type: 'reply',
      messageId: message.messageId,
      body: encode(reply),
      transient: true,
    })
    .catch((error: unknown) => room.logger.warn({ error: describe(error) }, 'an answer was not sent'));
  message.ack();
}

function read(message: Incoming) {
  const asked = decode(call, message.body);
  if (!message.replyTo || !message.messageId)
    throw new MegaError('malformed', 'a call needs reply-to and message-id');
  return { asked, caller: callerOf(message) };
}

async function carryOut(room: Room, { asked, caller }: ReturnType<typeof read>): Promise<Reply> {
  try {
    return { v: 1, ok: true, result: await dispatch(room, asked, caller) };
  } catch (error) {
    const known = error instanceof MegaError;
    if (!known || error instanceof UnavailableError) {
      room.logger.error({ fn: asked.fn, caller: caller.id, error: describe(error) }, 'a call failed');
    }
    // What is not ours may hold anything; the log has it, the caller need not.
    const told =
      known && codeOf(error) !== 'database_error'
        ? describe(error)
        : 'the dispatcher failed; its log says why';
    return { v: 1, ok: false, error: { code: known ? error.code : 'internal', message: told } };
  }
}

/** The broker has checked the user's name; by its form it is a host or an operator. */
function callerOf({ userId, messageId }: Incoming): Caller {
  if (userId.startsWith(OPERATOR_PREFIX)) return { role: 'operator', id: userId, key: messageId };
  if (HOST_ID.test(userId)) return { role: 'agent', id: userId, key: messageId };
  throw new MegaError('wrong_sender', `"${userId}" is neither a host nor an operator`);
}
