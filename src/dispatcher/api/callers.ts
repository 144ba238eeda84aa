import { MegaError } from '../../lib/errors.ts';
import { JOINER_PREFIX, OPERATOR_PREFIX } from '../../lib/topology.ts';
import { HOST_ID } from '../../lib/utils.ts';
import type { People } from '../people.ts';
import type { Caller } from './function.ts';

/** Who sent a call: the user that the broker has checked, and the call's idempotency key. */
export type Sender = { id: string; key: string };

/** By the form of its name a user is a host, a machine that joins, or a person or script. */
const isHost = (user: string) => HOST_ID.test(user);
const isJoiner = (user: string) => user.startsWith(JOINER_PREFIX);
const isPerson = (user: string) => user.startsWith(OPERATOR_PREFIX);

/** Errors: `wrong_sender`, of a user that none of ours can be. */
export function checkSender(user: string): void {
  if (isHost(user) || isJoiner(user) || isPerson(user)) return;
  throw new MegaError('wrong_sender', `"${user}" is neither a host nor an operator`);
}

/** What the sender may do; errors: `refused`. */
export async function callerOf(people: People, { id, key }: Sender): Promise<Caller> {
  if (isHost(id)) return { role: 'agent', id, key };
  return { role: isJoiner(id) ? 'joiner' : await people.roleOf(id), id, key };
}
