import { randomUUID } from 'node:crypto';
import { mailSettings } from './environment.ts';
import { codeOf, InputError, MegaError } from './errors.ts';
import { Delivery } from './mail/delivery.ts';
import { addressesIn, openTransport, type SmtpError, type Transport } from './mail/transport.ts';
import type { Mail, Mailer, MailOptions, Sent } from './mail/types.ts';
import { retry } from './retry.ts';
import { get_host_name } from './utils.ts';

export { MailError } from './mail/delivery.ts';
export type * from './mail/types.ts';

const TIMEOUT_MS = 20_000;
const RETRIES = 3;
const PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 60_000;
/** A server that says a word now and then is never silent, and must end as well. */
const TRY_TIMEOUTS = 10;

/**
 * Sends one mail:
 *
 *     await sendmail({ from: 'mega@example.org', to: 'ops@example.org', subject: 'done', text: '...' },
 *       { url: 'smtp://mail.example.org:25' });
 *
 * Errors: a {@link MailError}, which names each recipient who does not get it and what the server said, or the server
 * that could not be reached; `bad_argument`. None holds the password. A mail whose end the server took and did not
 * confirm is sent again, under the same message id: rather twice than never.
 */
export async function sendmail(mail: Mail, options: MailOptions = {}): Promise<Sent> {
  await using mailer = open(options, false);
  return await mailer.send(mail);
}

/** The same for many mails, over connections that stay open until `close`. */
export function openMail(options: MailOptions = {}): Mailer {
  return open(options, true);
}

function open(options: MailOptions, pool: boolean): Mailer {
  const { url, timeoutMs = TIMEOUT_MS } = { ...options, url: urlOf(options) };
  const transport = openTransport({ ...options, url, timeoutMs, pool });
  const sending = new Set<Promise<unknown>>();
  let closed = false;
  const send = (mail: Mail) => {
    if (closed) throw new MegaError('closed', 'this mailer was closed');
    return deliver(transport, mail, { ...options, url, timeoutMs });
  };
  const close = async () => {
    closed = true;
    await Promise.allSettled(sending);
    transport.close();
  };
  return {
    send: async (mail) => {
      const sent = send(mail);
      sending.add(sent);
      return sent.finally(() => sending.delete(sent));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A dry run needs no server. */
function urlOf({ url = mailSettings().url, dry }: MailOptions): string {
  const found = url ?? (dry ? 'smtp://localhost' : undefined);
  if (found === undefined)
    throw new InputError('no_config', 'which mail server? give "url" (smtp://host:25), or set $MEGA_SMTP');
  if (!/^smtps?:$/.test(URL.canParse(found) ? new URL(found).protocol : ''))
    throw new InputError('bad_argument', 'url: smtp://host:25 or smtps://');
  return found;
}

type Settled = MailOptions & { url: string; timeoutMs: number };

async function deliver(transport: Transport, given: Mail, options: Settled): Promise<Sent> {
  const { retries = RETRIES, pauseMs = PAUSE_MS, url, timeoutMs } = options;
  const mail = { ...given, from: given.from ?? options.from ?? mailSettings().from };
  const { from, to } = envelopeOf(mail);
  const id = mail.messageId ?? `<${randomUUID()}@${get_host_name()}>`;
  const delivery = new Delivery(to, url);
  let message: Buffer | undefined;
  const tryOnce = async () => {
    const limit = AbortSignal.timeout(timeoutMs * TRY_TIMEOUTS);
    try {
      const outcome = await transport.send(mail, id, { from, to: delivery.open }, limit);
      message = outcome.message;
      delivery.sent(outcome);
    } catch (error) {
      throwIfOurs(error as SmtpError);
      delivery.failed(error as SmtpError);
    }
    if (delivery.error) throw delivery.error;
  };
  const pauses = { minTimeoutMs: pauseMs, maxTimeoutMs: Math.max(pauseMs, LONGEST_PAUSE_MS) };
  // Who is open has been told "later", or nothing at all.
  await retry(tryOnce, {
    retries,
    ...pauses,
    when: (error) => isMailError(error) && delivery.open.length > 0,
  });
  return { id, accepted: delivery.accepted, ...(message ? { message: message.toString() } : {}) };
}

const isMailError = (error: Error) => codeOf(error).startsWith('mail_');

function envelopeOf(mail: Mail): { from: string; to: string[] } {
  const [from] = addressesIn('from', mail.from);
  if (from === undefined)
    throw new InputError('bad_argument', 'from: whose mail is it? give "from", or set $MEGA_MAIL_FROM');
  const fields = ['to', 'cc', 'bcc'] as const;
  const to = [...new Set(fields.flatMap((field) => addressesIn(field, mail[field])))];
  if (to.length === 0) throw new InputError('bad_argument', 'to: a mail needs a recipient');
  return { from, to };
}

/** What the mail itself is to blame for is not tried again: an attachment that is missing, an address that is none. */
function throwIfOurs(error: SmtpError): void {
  const { path, code = '', responseCode, rejectedErrors } = error as SmtpError & { path?: string };
  if (path !== undefined)
    throw new InputError('bad_argument', `attachment ${path} cannot be read: ${error.message}`, {
      cause: error,
    });
  const unsaid = code === 'EENVELOPE' && responseCode === undefined && rejectedErrors === undefined;
  if (unsaid || ['ESTREAM', 'EFILEACCESS', 'EURLACCESS'].includes(code))
    throw new InputError('bad_argument', `the mail cannot be made: ${error.message}`, { cause: error });
}
