import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { MegaError } from '../lib/errors.ts';
import type { Call } from '../lib/sender.ts';
import type { AuditCheck, AuditedCall, AuditLink } from './answers.ts';
import { duration } from './duration.ts';
import { EXIT } from './exit.ts';
import { withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega audit`: who did what. */
export function addAudit(program: Command, room: Room): void {
  const audit = program
    .command('audit')
    .description('the audit: what people and scripts changed, and what they were refused');
  example(audit, 'mega audit list --since 1h', 'mega audit verify');
  addList(audit, room);
  addVerify(audit, room);
}

const COLUMNS: Column<AuditedCall>[] = [
  { title: 'TIME (UTC)', cell: (call) => call.at.slice(0, 19).replace('T', ' ') },
  { title: 'WHO', cell: (call) => call.who },
  { title: 'ROLE', cell: (call) => call.role },
  { title: 'FUNCTION', cell: (call) => call.fn },
  { title: 'HOSTS', cell: hostsOf, shrinks: true },
  { title: 'OUTCOME', cell: (call) => call.outcome ?? 'not known' },
  { title: 'FROM', cell: ({ from }) => (from ? `${from.user}@${from.host} ${from.program}` : '-') },
  { title: 'ARGUMENTS', cell: (call) => (call.args ? JSON.stringify(call.args) : '-'), shrinks: true },
];

function hostsOf({ target, hosts }: AuditedCall): string {
  if (target === null) return '-';
  return hosts === null || hosts === 1 ? target : `${target} (${hosts})`;
}

type ListOptions = { who?: string; fn?: string; host?: string; since?: number; limit: number; json?: true };

const CALLS_AT_ONCE = 100;

function addList(audit: Command, room: Room): void {
  const list = audit
    .command('list')
    .description('list calls, the latest first; WHO was checked by the broker, FROM is what the caller says')
    .option('--who <user>', 'only those of this user and their API tokens, or of this login')
    .option('--fn <function>', 'only calls of this function')
    .option('--host <host>', 'only those that concerned this host')
    .option('--since <duration>', 'only those of the last 15m, 1h, 30d', duration)
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 50)
    .option(...JSON_FLAG);
  list.action(
    act<ListOptions>(room, async ({ who, fn, host, since, limit, json, ...globals }) => {
      const filter = { who, fn, host, sinceMs: since };
      const calls = await withSender(globals, (call) => auditedCalls(call, filter, limit));
      if (json) printJson(room.out, calls);
      else room.out.write(table(calls, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega audit list --since 1h', 'mega audit list --who alice --host db-01 --json');
}

async function auditedCalls(call: Call, filter: object, most: number): Promise<AuditedCall[]> {
  const all: AuditedCall[] = [];
  while (all.length < most) {
    const limit = Math.min(CALLS_AT_ONCE, most - all.length);
    const page = await call<AuditedCall[]>('get_all_audit', { ...filter, before: all.at(-1)?.id, limit });
    all.push(...page);
    if (page.length < limit) break;
  }
  return all;
}

function addVerify(audit: Command, room: Room): void {
  const verify = audit
    .command('verify')
    .description('check that no row was changed or removed in the database; exit code 1 if one was')
    .option('--known <row:sha256>', 'what an earlier check ended with: that row must be as it was', knownLink)
    .option(...JSON_FLAG);
  verify.action(
    act<{ known?: AuditLink; json?: true }>(room, async ({ known, json, ...globals }) => {
      const { id, sha256 } = await withSender(globals, (call) => verified(call, known));
      if (json) printJson(room.out, { rows: id, known: `${id}:${sha256}` });
      else {
        room.out.write(`${id} rows follow from one another\n`);
        room.out.write(`Keep this elsewhere, for the next check: --known ${id}:${sha256}\n`);
      }
      return EXIT.good;
    }),
  );
  example(verify, 'mega audit verify');
}

/** The last row; error: `audit_broken`. */
async function verified(call: Call, known: AuditLink | undefined): Promise<AuditLink> {
  for (let after: AuditLink | undefined; ; ) {
    const checked: AuditCheck = await call('verify_audit', { after, known });
    if (checked.broken) {
      const remedy = 'compare with a backup of the database and with the logs of the dispatchers';
      throw new MegaError(
        'audit_broken',
        `the audit is not what it was: ${checked.broken.reason}; ${remedy}`,
      );
    }
    if (checked.done) return checked.after;
    after = checked.after;
  }
}

function knownLink(text: string): AuditLink {
  const [, id, sha256] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sha256 === undefined) throw new InvalidArgumentError('It must be what an earlier check ended with.');
  return { id: Number(id), sha256 };
}
