import { type Command, Option } from 'commander';
import { ALERT_KINDS } from '../lib/alerts.ts';
import type { Call } from '../lib/sender.ts';
import type { Alert } from './answers.ts';
import { duration } from './duration.ts';
import { EXIT } from './exit.ts';
import { withSender } from './session.ts';
import { type Column, printJson, table, widthOf } from './table.ts';
import { act, example, JSON_FLAG, type Room, wholeNumber } from './world.ts';

/** `mega alert`: what people were told by mail, or would have been. */
export function addAlert(program: Command, room: Room): void {
  const alert = program.command('alert').description('alerts: what people are told by mail');
  example(alert, 'mega alert list --since 1h');
  addList(alert, room);
}

const time = (iso: string) => iso.slice(0, 19).replace('T', ' ');

const COLUMNS: Column<Alert>[] = [
  { title: 'TIME (UTC)', cell: (one) => time(one.raisedAt) },
  { title: 'KIND', cell: (one) => one.kind },
  { title: 'ABOUT', cell: (one) => one.about },
  { title: 'MAIL', cell: mailOf, shrinks: true },
  { title: 'WHAT', cell: (one) => one.text, shrinks: true },
];

function mailOf({ mail, sentAt, mailError }: Alert): string {
  if (mail === 'sent' && sentAt !== null) return `sent ${time(sentAt).slice(11)}`;
  if (mail === 'waiting' && mailError !== null) return `waiting: ${mailError}`;
  return mail === 'given_up' ? 'given up' : mail;
}

type ListOptions = { since?: number; kind?: string; limit: number; json?: true };

const ALERTS_AT_ONCE = 50;

function addList(alert: Command, room: Room): void {
  const list = alert
    .command('list')
    .description('list alerts, the latest first, and whether a mail has told them')
    .option('--since <duration>', 'only those of the last 15m, 1h, 30d', duration)
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices(ALERT_KINDS))
    .option('--limit <number>', 'how many at most', wholeNumber(1, 100_000), 50)
    .option(...JSON_FLAG);
  list.action(
    act<ListOptions>(room, async ({ since, kind, limit, json, ...globals }) => {
      const filter = { sinceMs: since, kind };
      const alerts = await withSender(globals, (call) => allAlerts(call, filter, limit));
      if (json) printJson(room.out, alerts);
      else room.out.write(table(alerts, COLUMNS, widthOf(room.out)));
      return EXIT.good;
    }),
  );
  example(list, 'mega alert list --since 1h', 'mega alert list --kind host_lost --json');
}

async function allAlerts(call: Call, filter: object, most: number): Promise<Alert[]> {
  const all: Alert[] = [];
  while (all.length < most) {
    const limit = Math.min(ALERTS_AT_ONCE, most - all.length);
    const page = await call<Alert[]>('get_all_alert', { ...filter, before: all.at(-1)?.id, limit });
    all.push(...page);
    if (page.length < limit) break;
  }
  return all;
}
