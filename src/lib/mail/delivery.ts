import { codeOf, MegaError, withoutSecrets } from '../errors.ts';
import { tlsTrouble } from '../tls-errors.ts';
import type { Outcome, SmtpError } from './transport.ts';

export type Refusal = {
  recipient: string;
  reason: string;
  /** The server may take it at another time. */
  later: boolean;
};

/**
 * A mail that did not reach everybody: `mail_refused` (the server's last word), `mail_failed` (it could not be reached,
 * or said "later" to the end), `mail_partly_sent` (some got it: do not send it to these again).
 */
export class MailError extends MegaError {
  override name = 'MailError';
  readonly accepted: string[];
  readonly refused: Refusal[];

  constructor(code: string, message: string, accepted: string[], refused: Refusal[], cause: unknown) {
    super(code, message, { cause });
    this.accepted = accepted;
    this.refused = refused;
  }
}

/**
 * How far a mail has come, over all tries: each recipient is open, accepted or refused, and only who is open is tried
 * again.
 */
export class Delivery {
  readonly accepted: string[] = [];
  #open: Set<string>;
  #refused = new Map<string, Refusal>();
  #url: string;
  #cause: unknown;

  constructor(recipients: string[], url: string) {
    this.#open = new Set(recipients);
    this.#url = url;
  }

  get open(): string[] {
    return [...this.#open];
  }

  /** At least one recipient was taken. */
  sent({ accepted, rejectedErrors }: Outcome): void {
    for (const one of accepted) {
      this.#open.delete(one);
      this.#refused.delete(one);
      this.accepted.push(one);
    }
    for (const error of rejectedErrors) this.#refuse(error.recipient ?? '', error);
  }

  /** Nobody was taken: who was refused by name, and all others by what ended the try. */
  failed(error: SmtpError): void {
    const named = new Map((error.rejectedErrors ?? []).map((one) => [one.recipient, one]));
    for (const one of this.open) this.#refuse(one, named.get(one) ?? error);
  }

  /** Error of what is left, where anything is. */
  get error(): MailError | undefined {
    const refused = [...this.#refused.values()];
    if (refused.length === 0) return undefined;
    const code =
      this.accepted.length > 0 ? 'mail_partly_sent' : this.open.length > 0 ? 'mail_failed' : 'mail_refused';
    const told = Map.groupBy(refused, ({ reason, later }) =>
      later ? `was not sent by ${withoutSecrets(this.#url)}: ${reason}` : `was refused: ${reason}`,
    );
    const lines = [...told].map(
      ([how, whose]) => `mail to ${whose.map((one) => one.recipient).join(', ')} ${how}`,
    );
    if (this.accepted.length > 0) lines.push(`it went to ${this.accepted.join(', ')}`);
    return new MailError(code, lines.join('; '), this.accepted, refused, this.#cause);
  }

  #refuse(recipient: string, error: SmtpError): void {
    const later = !isFinal(error);
    if (!later) this.#open.delete(recipient);
    this.#refused.set(recipient, { recipient, reason: reasonOf(error, this.#url), later });
    this.#cause = error;
  }
}

/** A 5xx is the server's last word on this mail, and so is a limit that it has told; all else may pass. */
const isFinal = ({ responseCode = 0, code }: SmtpError) =>
  responseCode >= 500 || (code === 'EMESSAGE' && responseCode === 0);

function reasonOf(error: SmtpError, url: string): string {
  const { host, protocol } = new URL(url);
  const tls = tlsTrouble(error, `the mail server ${host}`);
  if (tls) return tls;
  if (error.code === 'EAUTH')
    return `${host} refuses the user or password: ${error.response ?? error.message}`;
  if (error.code === 'EABORT') return 'the server took too long';
  // A mail server speaks first, and over TLS it waits for us to begin.
  const silent = protocol === 'smtp:' && codeOf(error) === 'ETIMEDOUT' && /greeting/i.test(error.message);
  return `${error.message}${silent ? ' (its port for TLS wants smtps://)' : ''}`;
}
