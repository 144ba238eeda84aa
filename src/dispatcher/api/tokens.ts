import { z } from 'zod';
import type { Queryable } from '../../lib/conn.ts';
import { InputError } from '../../lib/errors.ts';
import { labels } from '../../lib/labels.ts';
import { schemas } from '../../lib/messages.ts';
import { sha256Hex, tokenIdOf } from '../../lib/token.ts';
import { JOINER_PREFIX, joinerUser } from '../../lib/topology.ts';
import { provisionJoiner } from '../declare.ts';
import { enrol } from '../enrol.ts';
import { addToken, getToken, listTokens, markUserGone, revokeToken, type TokenRow } from '../store/tokens.ts';
import { getMetadata, newestMetadata } from '../store/trust.ts';
import { fn, JOINER, OPERATOR } from './function.ts';

const MAX_TTL_MS = 90 * 86_400_000;
const id = z.string().regex(/^[0-9a-f]{12}$/);
const token = z.object({
  id,
  state: z.enum(['active', 'used_up', 'expired', 'revoked']),
  uses: z.number(),
  used: z.number(),
  labels,
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAt: z.string(),
});

function told(row: TokenRow): z.infer<typeof token> {
  const { uses, used, createdBy } = row;
  const times = { createdAt: row.createdAt.toISOString(), expiresAt: row.expiresAt.toISOString() };
  return { id: row.id, state: stateOf(row), uses, used, labels: row.labels, createdBy, ...times };
}

function stateOf({ revoked, expired, used, uses }: TokenRow) {
  if (revoked) return 'revoked';
  if (used >= uses) return 'used_up';
  return expired ? 'expired' : 'active';
}

const NOTHING_SIGNED = 'nothing is signed for this fleet yet: mega setup makes the keys';

/** The root that a token vouches for; a host finds the way from it to a newer one. */
async function rootOf(db: Queryable, name: string): Promise<string> {
  const row = await getToken(db, name);
  const root = row && (await getMetadata(db, 'root', row.rootVersion));
  if (root === undefined) throw new InputError('no_root', NOTHING_SIGNED);
  return root;
}

export const tokenFunctions = [
  fn({
    name: 'create_token',
    help: 'Makes a token that machines join with, of a secret that the caller has made: its SHA-256, and RabbitMQ\'s hash of the password made of it. "labels" are given to each host that joins by it. The answer\'s "root" is the SHA-256 of the root.json that hosts are to trust.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      sha256: schemas.sha256,
      passwordHash: schemas.passwordHash,
      ttlMs: z.int().min(1_000).max(MAX_TTL_MS),
      uses: z.int().min(1).max(100_000),
      labels: labels.default({}),
    }),
    output: token.extend({ root: z.string() }),
    handler: async (room, input, caller) => {
      const name = tokenIdOf(input.sha256);
      const newest = await newestMetadata(room.db, 'root');
      if (!newest) throw new InputError('no_root', NOTHING_SIGNED);
      await addToken(room.db, { ...input, id: name, rootVersion: newest.version, by: caller.id });
      const row = await getToken(room.db, name);
      if (row?.sha256 !== input.sha256) throw new InputError('token_taken', 'choose another secret');
      await provisionJoiner(room.management, name, row.passwordHash);
      return { ...told(row), root: sha256Hex(await rootOf(room.db, name)) };
    },
  }),
  fn({
    name: 'get_all_token',
    help: 'The tokens that machines join with, newest first; never their secrets.',
    callers: OPERATOR,
    effect: 'reads',
    input: z.object({ limit: z.int().min(1).max(1000).default(100) }),
    output: z.array(token),
    handler: async (room, { limit }) => (await listTokens(room.db, limit)).map(told),
  }),
  fn({
    name: 'del_token',
    help: 'Revokes a token: no machine joins by it any more. Hosts that have joined stay.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ id }),
    output: token,
    handler: async (room, input) => {
      await revokeToken(room.db, input.id);
      const row = await getToken(room.db, input.id);
      if (!row)
        throw new InputError('unknown_token', `there is no token ${input.id}; mega token list shows all`);
      await room.management.deleteUser(joinerUser(row.id));
      await markUserGone(room.db, row.id);
      return told(row);
    },
  }),
  fn({
    name: 'enrol',
    help: 'A machine joins the fleet: it sends the hash of a secret that it made itself, and gets its user and its queue. "machine" is a random key by which it is known when it asks again. The answer\'s "root" is the text of the root.json that it is to trust.',
    callers: JOINER,
    effect: 'changes',
    input: z.object({
      token: z.string().max(64),
      host: schemas.host,
      machine: schemas.machine,
      passwordHash: schemas.passwordHash,
      platform: schemas.platform,
    }),
    output: z.object({ host: z.string(), root: z.string() }),
    handler: async (room, { token: secret, machine, ...about }, caller) => {
      const from = caller.id.slice(JOINER_PREFIX.length);
      await enrol(room, from, secret, { ...about, machine: sha256Hex(machine) });
      room.logger.info({ host: about.host, token: from }, 'a host has joined');
      return { host: about.host, root: await rootOf(room.db, from) };
    },
  }),
];
