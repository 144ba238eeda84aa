import { createHash } from 'node:crypto';
import { z } from 'zod';
import { mailAddress } from '../../lib/alert-settings.ts';
import { ALERT_KINDS } from '../../lib/alerts.ts';
import { withoutSecrets } from '../../lib/errors.ts';
import { deliver, requireMail } from '../alerts/deliver.ts';
import { type ListedAlert, listAlerts } from '../store/alerts.ts';
import { type Caller, fn, OPERATOR, VIEWER } from './function.ts';

/** An answer must fit into one message. */
const MOST_ALERTS = 50;
/** Shorter than a caller waits. */
const TIMEOUT_MS = 5_000;
const MAX_TEXT = 200_000;

const alert = z.object({
  id: z.string(),
  kind: z.string(),
  about: z.string(),
  text: z.string(),
  raisedAt: z.string(),
  /** `waiting`, `sent`, `given_up`, or `none`: no mail tells it. */
  mail: z.string(),
  sentAt: z.string().nullable(),
  /** Why its mail was not sent so far. */
  mailError: z.string().nullable(),
});

const told = ({ raisedAt, sentAt, ...row }: ListedAlert): z.infer<typeof alert> => ({
  ...row,
  raisedAt: raisedAt.toISOString(),
  sentAt: sentAt?.toISOString() ?? null,
});

const subject = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{C}+$/u, 'one line, without control characters');

const sent = z.object({ messageId: z.string(), to: z.array(z.string()) });

/** The same call asked again sends the same mail: whoever gets it twice can tell. */
const nameOf = ({ id, key }: Caller) =>
  createHash('sha256').update(`${id}:${key}`).digest('hex').slice(0, 32);

export const alertFunctions = [
  fn({
    name: 'get_all_alert',
    help: 'What people were told, or are to be told, the latest first; pass the last id as "before" for earlier ones. "mail" is "waiting", "sent", "given_up" (no mail could be sent for too long), or "none" (of a kind that is not mailed, or no mail server is configured).',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({
      kind: z.enum(ALERT_KINDS).optional(),
      sinceMs: z.int().min(1).optional(),
      before: z.uuid().optional(),
      limit: z.int().min(1).max(MOST_ALERTS).default(20),
    }),
    output: z.array(alert),
    handler: async (room, filter) => (await listAlerts(room.db, filter)).map(told),
  }),
  fn({
    name: 'send_mail',
    help: 'Sends a mail by the mail server of the dispatchers, in their name. Asked again with the same key it may be sent again, under the same message id.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      to: z.array(mailAddress).min(1).max(50),
      subject,
      text: z.string().max(MAX_TEXT),
      html: z.string().max(MAX_TEXT).optional(),
    }),
    output: sent,
    handler: async (room, letter, caller) => {
      const how = { name: nameOf(caller), retries: 0, timeoutMs: TIMEOUT_MS };
      const messageId = await deliver(room, requireMail(room), { html: undefined, ...letter, ...how });
      return { messageId, to: letter.to };
    },
  }),
  fn({
    name: 'test_mail',
    help: 'Sends a mail that says that it is a test: to those whom alerts are mailed to, or to the addresses in "to".',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ to: z.array(mailAddress).min(1).max(50).optional() }),
    output: sent.extend({ server: z.string() }),
    handler: async (room, input, caller) => {
      const mail = requireMail(room);
      const to = input.to ?? mail.to;
      const text = `${caller.id} has asked for this mail, to see whether alerts would arrive. They do.\n`;
      const how = { name: nameOf(caller), retries: 0, timeoutMs: TIMEOUT_MS };
      const messageId = await deliver(room, mail, { ...how, to, subject: 'mega: a test', text });
      return { messageId, to, server: withoutSecrets(mail.url) };
    },
  }),
];
