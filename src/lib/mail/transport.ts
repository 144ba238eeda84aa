import { createTransport } from 'nodemailer';
import addressparser from 'nodemailer/lib/addressparser/index.js';
import { InputError } from '../errors.ts';
import { tlsOf } from '../secure.ts';
import type { Mail, MailOptions } from './types.ts';

/** The one owner of nodemailer. */
export type Envelope = { from: string; to: string[] };

/** What a server said of one recipient, or of the whole. */
export type SmtpError = Error & {
  code?: string;
  responseCode?: number;
  response?: string;
  recipient?: string;
  rejectedErrors?: SmtpError[];
};

export type Outcome = { accepted: string[]; rejectedErrors: SmtpError[]; message?: Buffer };
export type Transport = {
  /** Resolves when at least one recipient was taken; rejects with an {@link SmtpError} otherwise. */
  send(mail: Mail, id: string, envelope: Envelope, signal: AbortSignal): Promise<Outcome>;
  close(): void;
};

export function openTransport(
  options: MailOptions & { url: string; timeoutMs: number; pool: boolean },
): Transport {
  const transport = options.dry
    ? createTransport({ streamTransport: true, buffer: true, newline: 'unix', ...NO_URLS })
    : createTransport(settings(options));
  return {
    send: async (mail, id, envelope, signal) => {
      const message = { ...mail, messageId: id, envelope, signal, ...NO_URLS };
      const info = (await transport.sendMail(message as object)) as unknown as Partial<Outcome>;
      return { accepted: envelope.to, rejectedErrors: [], ...info };
    },
    close: () => transport.close(),
  };
}

/** Whoever may write a mail's parts must not have this machine fetch addresses. */
const NO_URLS = { disableUrlAccess: true };

function settings(options: MailOptions & { url: string; timeoutMs: number; pool: boolean }) {
  const { url, ca, timeoutMs, pool, connections = 5 } = options;
  // A greeting that is missing must be told as that, since it has a reason of its own.
  const silence = { greetingTimeout: timeoutMs, socketTimeout: timeoutMs * 1.1 };
  const limits = { connectionTimeout: timeoutMs, ...silence };
  return { ...reach(new URL(url), ca), ...limits, ...(pool ? { pool, maxConnections: connections } : {}) };
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

/** The bare addresses. Error: `bad_argument`, for what is none. */
export function addressesIn(field: string, value: string | string[] | undefined): string[] {
  const found = [value ?? []].flat().flatMap((one) => addressparser(one, { flatten: true }));
  return found.map(({ address, name }) => {
    if (/^[^\s@]+@[^\s@]+$/.test(address)) return address;
    throw new InputError(
      'bad_argument',
      `${field}: "${address || name}" is no address such as ops@example.org`,
    );
  });
}
