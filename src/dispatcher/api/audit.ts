import { z } from 'zod';
import { schemas } from '../../lib/messages.ts';
import { brokenAt, FIRST_LINK, type Link } from '../chain.ts';
import {
  type AuditedCall,
  auditAfter,
  auditHead,
  auditOfJob,
  auditSha256,
  listAudit,
} from '../store/audit.ts';
import { parsed } from '../store/rows.ts';
import { fn, type Room, VIEWER } from './function.ts';

/** An answer must fit into one message. */
const MOST_CALLS = 100;
const MOST_ROWS = 1_000;

const json = schemas.json.nullable();
const auditedCall = z.object({
  id: z.number(),
  at: z.string(),
  who: z.string(),
  role: z.string(),
  from: json,
  fn: z.string(),
  args: json,
  target: z.string().nullable(),
  job: z.string().nullable(),
  hosts: z.number().nullable(),
  outcome: z.string().nullable(),
});

const told = ({ at, origin, args, ...row }: AuditedCall): z.infer<typeof auditedCall> => ({
  ...row,
  at: at.toISOString(),
  from: origin === null ? null : parsed(origin),
  args: args === null ? null : parsed(args),
});

const link = z.object({ id: z.int().min(0), sha256: schemas.sha256 });

export const auditFunctions = [
  fn({
    name: 'get_all_audit',
    help: 'What people and scripts changed, and what they were refused, the latest first; pass the last id as "before" for earlier ones. "who" was checked by the broker, "from" is the caller\'s own word. "outcome" is "ok", the code of an error, or null while it is not known. With "job" only what was done with that one, and nothing else is asked for.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      who: z.string().min(1).max(255).optional(),
      fn: z.string().min(1).max(64).optional(),
      host: schemas.host.optional(),
      job: z.uuid().optional(),
      sinceMs: z.int().min(1).optional(),
      before: z.int().min(1).optional(),
      limit: z.int().min(1).max(MOST_CALLS).default(20),
    }),
    output: z.array(auditedCall),
    handler: async (room, { job, ...filter }) => {
      const found =
        job === undefined
          ? await listAudit(room.db, { ...absent, ...filter })
          : await auditOfJob(room.db, job, filter.limit);
      return found.map(told);
    },
  }),
  fn({
    name: 'verify_audit',
    help: 'Checks that the rows of the audit follow from one another, at most 1000 a call: pass what it answers as "after" until it is "done". "broken" says where the first one does not. "known", which an earlier check ended with, must be among them.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      after: link.default({ id: 0, sha256: FIRST_LINK }),
      known: link.optional(),
      limit: z.int().min(1).max(MOST_ROWS).default(MOST_ROWS),
    }),
    output: z.object({
      after: link,
      done: z.boolean(),
      broken: z.object({ id: z.number(), reason: z.string() }).nullable(),
    }),
    handler: (room, { after, known, limit }) => verify(room, after, known, limit),
  }),
];

const absent = { who: undefined, fn: undefined, host: undefined, sinceMs: undefined, before: undefined };

async function verify(room: Room, after: Link, known: Link | undefined, limit: number) {
  const head = await auditHead(room.db); // first: what is added from here on need not be there
  const rows = await auditAfter(room.db, after.id, limit);
  const last = rows.at(-1) ?? after;
  const done = rows.length < limit;
  const broken =
    brokenAt(after, rows) ??
    (done ? missingAtEnd(last, head) : undefined) ??
    (await unlikeKnown(room, known));
  return { after: { id: last.id, sha256: last.sha256 }, done, broken: broken ?? null };
}

function missingAtEnd(last: Link, head: Link): { id: number; reason: string } | undefined {
  if (last.id < head.id) return { id: last.id + 1, reason: `the rows from ${last.id + 1} on are missing` };
  if (last.id > head.id || last.sha256 === head.sha256) return undefined;
  return { id: last.id, reason: `row ${last.id} is not the one that was added last` };
}

async function unlikeKnown(room: Room, known: Link | undefined) {
  if (!known || known.id === 0 || (await auditSha256(room.db, known.id)) === known.sha256) return undefined;
  return { id: known.id, reason: `row ${known.id} is not the one that it was at an earlier check` };
}
