import type { MailSettings } from '../../lib/alert-settings.ts';
import { InputError } from '../../lib/errors.ts';
import { MailError, sendmail } from '../../lib/mail.ts';
import type { Context } from '../context.ts';

export type Letter = {
  /** Told once more under the same name, it is known to be the same mail. */
  name: string;
  to: string[];
  subject: string;
  text: string;
  html?: string | undefined;
  retries: number;
  timeoutMs: number;
};

/** Sends by the mail server of the configuration, in our name. Answers the message id. Errors: those of lib/mail. */
export async function deliver(
  { logger }: Pick<Context, 'logger'>,
  mail: MailSettings,
  letter: Letter,
): Promise<string> {
  const { name, to, subject, text, html, retries, timeoutMs } = letter;
  const { url, from, ca } = mail;
  const messageId = `<${name}@${from.slice(from.lastIndexOf('@') + 1)}>`;
  // Nobody's answering machine is to answer to it.
  const headers = { 'Auto-Submitted': 'auto-generated' };
  const body = { text, ...(html === undefined ? {} : { html }) };
  try {
    await sendmail({ from, to, subject, messageId, headers, ...body }, { url, ca, retries, timeoutMs });
  } catch (error) {
    if (!(error instanceof MailError && error.accepted.length > 0)) throw error;
    const who = error.refused.map(({ recipient }) => recipient);
    logger.warn({ to: who, messageId }, 'the mail server took a mail, but not for these');
  }
  return messageId;
}

/** Error: `no_config`. */
export function requireMail({ config }: Pick<Context, 'config'>): MailSettings {
  if (config.mail) return config.mail;
  const remedy = 'put "mail" into the dispatcher.json of each dispatcher, and restart them';
  throw new InputError('no_config', `no mail server is configured: ${remedy}`);
}
