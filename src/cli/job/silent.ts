import type { Task } from '../answers.ts';
import type { Column } from '../table.ts';
import { ago, instant } from '../text.ts';

/** Hosts that have not answered: when they last spoke at all, and the last thing that is proved of their task. */
export const SILENT_COLUMNS: Column<Task>[] = [
  { title: 'HOST', cell: (task) => task.host },
  { title: 'STATE', cell: (task) => task.state },
  { title: 'LAST SEEN', cell: (task) => ago(task.lastSeenAt ?? null), right: true },
  { title: 'PROVED', cell: provedOf, shrinks: true },
];

/** `started 2026-11-24 12:00:03, staging`: each step implies those before it. */
export function provedOf({ startedAt, acceptedAt, queuedAt, phase, attempts }: Task): string {
  if (startedAt !== null) return `started ${instant(startedAt)}${phase === null ? '' : `, ${phase}`}`;
  if (acceptedAt !== null) return `journaled ${instant(acceptedAt)}`;
  if (queuedAt !== null) return `confirmed ${instant(queuedAt)}`;
  return attempts > 0 ? 'nothing, though it was sent' : 'nothing, it was not sent';
}
