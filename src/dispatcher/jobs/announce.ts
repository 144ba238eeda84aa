import type { Queryable } from '../../lib/conn.ts';
import type { Logger } from '../../lib/logs.ts';
import { type Alert, raiseAlert } from '../alerts/raise.ts';

/** Tells what an operator wants to hear of who is not looking. `db`: the transaction in which it came about. */
export async function announce(room: { logger: Logger; db: Queryable }, alert: Alert): Promise<void> {
  const { kind, about, text } = alert;
  room.logger.info({ job: about, kind }, text);
  await raiseAlert(room.db, alert);
}
