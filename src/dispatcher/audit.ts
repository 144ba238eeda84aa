import { codeOf, describe, MegaError } from '../lib/errors.ts';
import type { Origin } from '../lib/messages.ts';
import { HOST_ID } from '../lib/utils.ts';
import type { Link } from './chain.ts';
import type { Context } from './context.ts';
import type { NewAuditEntry } from './store/audit.ts';
import { countStates } from './store/jobs.ts';

/**
 * Who did what, from where, to which hosts.
 *
 * INVARIANTS
 * - A change is written down before it begins: when that cannot be done, it is not begun.
 * - How it ended is written down after it. A row without an end was being carried out when its dispatcher died: what
 *   became of it the rest of the database says.
 * - What is written down holds no secret, and is bounded in size.
 *
 * `who` is what the broker has checked, `origin` the caller's own word.
 */
export type Audited = {
  who: string;
  role: string;
  origin: Origin | undefined;
  fn: string;
  args: Record<string, unknown>;
};

/** Does `work`, if it can be written down. */
export async function audited<T>(context: Context, call: Audited, work: () => Promise<T>): Promise<T> {
  const { id } = await write(context, asked(call));
  try {
    const result = await work();
    await tellEnd(context, call, id, 'ok', result);
    return result;
  } catch (error) {
    await tellEnd(context, call, id, outcomeOf(error), undefined);
    throw error;
  }
}

/** A call that was turned away before anything was done. Never rejects: the caller is turned away all the same. */
export async function auditRefusal(context: Context, call: Audited, error: unknown): Promise<void> {
  try {
    await write(context, { ...asked(call), outcome: outcomeOf(error) });
  } catch (cause) {
    context.logger.error(
      { who: call.who, fn: call.fn, error: describe(cause) },
      'a refusal was not recorded',
    );
  }
}

/** Never rejects: what was done is done, and its caller is to hear of it. */
async function tellEnd(context: Context, call: Audited, about: number, outcome: string, result: unknown) {
  try {
    const concerned = await concernedBy(context, result);
    await write(context, { ...plain(call), ...concerned, about, outcome });
  } catch (cause) {
    const error = describe(cause);
    context.logger.error({ audit: about, outcome, error }, 'how a call ended was not recorded');
  }
}

/** The log has each link of the chain, too: whoever changes the database has not changed that. */
async function write(context: Context, entry: NewAuditEntry): Promise<Link> {
  const link = await context.auditBook.write(entry);
  const { who, fn, outcome } = entry;
  context.logger.info({ audit: link.id, sha256: link.sha256, who, fn, outcome }, 'recorded in the audit');
  return link;
}

function outcomeOf(error: unknown): string {
  return (error instanceof MegaError ? codeOf(error) : 'internal').slice(0, 64);
}

const plain = ({ who, role, fn }: Audited): NewAuditEntry => ({
  ...{ about: null, who: wellFormed(who, 255), role, origin: null, fn: wellFormed(fn, 64), args: null },
  ...{ target: null, host: null, job: null, hosts: null, outcome: null },
});

/** Functions call a single host `host`, and many `on`. */
function asked(call: Audited): NewAuditEntry {
  const { origin, args } = call;
  const host = typeof args.host === 'string' && HOST_ID.test(args.host) ? args.host : null;
  const on = Array.isArray(args.on) ? wellFormed(namesIn(args.on), MAX_TARGET) : null;
  const said = { origin: origin ? JSON.stringify(origin) : null, args: argsOf(args) };
  return { ...plain(call), ...said, host, target: host ?? on };
}

/** Nobody has looked at them yet: what is no name may be anything. */
const namesIn = (on: unknown[]) => on.filter((one) => typeof one === 'string').join(' ');

/** ... and so do their answers: `job` for what was made of many hosts, `hosts` for how many they are, `host` for the one. */
async function concernedBy(context: Context, result: unknown): Promise<Partial<NewAuditEntry>> {
  const { job, host, hosts } = (result ?? {}) as Record<string, unknown>;
  if (typeof job === 'string') {
    const counts = await countStates(context.db, job);
    return { job, hosts: Object.values(counts).reduce((sum, n) => sum + n, 0) };
  }
  if (typeof hosts === 'number') return { hosts };
  return typeof host === 'string' ? { host, target: host, hosts: 1 } : {};
}

const MAX_TARGET = 1_000;
const MAX_ARGS = 2_000;
const MAX_TEXT = 200;
const MAX_ITEMS = 20;
const SECRET = /secret|password|passphrase|token|authorization|private|machine|stdin|hash$/i;
const STRUCK_OUT = '***';

/** Arguments as they are kept: without secrets, and cut where they are long. */
export function argsOf(args: Record<string, unknown>): string {
  const text = JSON.stringify(args, (name, value: unknown) => {
    if (SECRET.test(name) && typeof value !== 'boolean') return STRUCK_OUT;
    if (typeof value === 'string') return wellFormed(value, MAX_TEXT);
    if (Array.isArray(value) && value.length > MAX_ITEMS) {
      return [...value.slice(0, MAX_ITEMS), `... and ${value.length - MAX_ITEMS} more`];
    }
    return value;
  });
  return text.length <= MAX_ARGS ? text : JSON.stringify({ cut: text.slice(0, MAX_ARGS / 2) });
}

function wellFormed(text: string, most: number): string {
  return (text.length <= most ? text : `${text.slice(0, most - 3)}...`).toWellFormed();
}
