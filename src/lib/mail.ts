import { createTransport, type SendMailOptions } from 'nodemailer';
import { codeOf, InputError, MegaError, withoutSecrets } from './errors.ts';
import { retry } from './retry.ts';
import { tlsOf } from './secure.ts';
import { tlsTrouble } from './tls-errors.ts';

/** What nodemailer takes: `from`, `to`, `subject`, `text`, `html`, `attachments`, ... */
export type Mail = SendMailOptions & { to: string | string[]; subject: string };

export type MailOptions = {
  /**
   * `smtp://user:password@host:587`, which insists on STARTTLS except to loopback, or `smtps://` for TLS from the first
   * byte. It may end in `?ca=FILE`, `?tls=on`, or `?tls=off` for a plain connection.
   */
  url: string;
  /** Certificates (PEM) of the CAs that the server is verified by; default: those that Node.js trusts. */
  ca?: string | undefined;
  timeoutMs?: number;
  /** Tries again while the server is away or says "later" (4xx). */
  retries?: number;
  /** Is told whom the server refused when it took the mail for others. */
  onRefused?: (who: string[]) => void;
};

/**
 * Sends one mail and returns its message id:
 *
 *     await sendmail({ from: 'mega@example.org', to: 'ops@example.org', subject: 'done', text: '...' },
 *       { url: 'smtp://mail.example.org:25' });
 *
 * Errors: `mail_refused` names the recipients and what the server said, `mail_failed` the server that could not be
 * reached; neither holds the password.
 */
export async function sendmail(mail: Mail, options: MailOptions): Promise<string> {
  const { url, timeoutMs = 20_000, retries = 3 } = options;
  if (!/^smtps?:$/.test(protocolOf(url)))
    throw new InputError('bad_argument', 'url: smtp://host:25 or smtps://');
  const limits = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs };
  const transport = createTransport({ ...reach(new URL(url), options.ca), ...limits });
  try {
    const send = () =>
      transport.sendMail(mail).catch((cause: unknown) => Promise.reject(told(cause, mail, url)));
    const later = (error: Error) => error instanceof MegaError && error.code === 'mail_failed';
    const sent = await retry(send, { retries, minTimeoutMs: 200, maxTimeoutMs: 5_000, when: later });
    if (sent.rejected.length > 0) options.onRefused?.(sent.rejected);
    return sent.messageId;
  } finally {
    transport.close();
  }
}

/** The driver lets parameters of a URL overrule whatever else it was told, TLS included: it gets none. */
function reach(target: URL, given: string | undefined) {
  const { tls, ca } = tlsOf(target, { ca: given });
  const url = new URL(target);
  url.search = '';
  const trusted = ca === undefined ? {} : { tls: { ca } };
  if (target.protocol === 'smtps:') return { url: url.href, ...trusted };
  return { url: url.href, ...(tls ? { requireTLS: true } : { ignoreTLS: true }), ...trusted };
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}

/** A 5xx is the server's last word on this mail; all else may pass. */
function told(cause: unknown, mail: Mail, url: string): MegaError {
  const {
    responseCode = 0,
    message,
    rejected,
  } = cause as { responseCode?: number; message: string; rejected?: string[] };
  const { host } = new URL(url);
  const tls = tlsTrouble(cause, `the mail server ${host}`);
  if (tls) return new MegaError('mail_failed', tls, { cause });
  // A mail server speaks first, and over TLS it waits for us to begin.
  const hint =
    /^smtp:/.test(url) && codeOf(cause) === 'ETIMEDOUT' ? ' (its port for TLS wants smtps://)' : '';
  const who = rejected?.length ? rejected.join(', ') : [mail.to].flat().join(', ');
  if (responseCode >= 500)
    return new MegaError('mail_refused', `mail to ${who} was refused: ${message}`, { cause });
  return new MegaError(
    'mail_failed',
    `mail to ${who} was not sent by ${withoutSecrets(url)}: ${message}${hint}`,
    {
      cause,
    },
  );
}
