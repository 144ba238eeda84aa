export type Attachment = {
  filename?: string;
  content?: string | Buffer;
  /** A file, in the place of `content`. */
  path?: string;
  contentType?: string;
  /** A picture is shown in the HTML where that says `<img src="cid:...">`, and not listed with the others. */
  cid?: string;
};

/** Addresses are `ops@example.org` or `Operations <ops@example.org>`, several in a list or with commas. */
export type Mail = {
  /** Default: that of the options, or `$MEGA_MAIL_FROM`. */
  from?: string | undefined;
  to: string | string[];
  cc?: string | string[];
  bcc?: string | string[];
  replyTo?: string;
  subject: string;
  text?: string;
  html?: string;
  attachments?: Attachment[];
  headers?: Record<string, string>;
  /** Default: a new one. Under the same id, who gets it twice can tell. */
  messageId?: string;
};

export type MailOptions = {
  /**
   * `smtp://user:password@host:587`, which insists on STARTTLS except to loopback, or `smtps://` for TLS from the first
   * byte. It may end in `?ca=FILE`, `?tls=on`, or `?tls=off` for a plain connection. Default: `$MEGA_SMTP`.
   */
  url?: string | undefined;
  /** Certificates (PEM) of the CAs that the server is verified by; default: those that Node.js trusts. */
  ca?: string | undefined;
  from?: string | undefined;
  /** For how long the server may be silent; one try takes ten times that at most, whatever it says. */
  timeoutMs?: number;
  /** Tries again while the server is away or says "later" (4xx), with those recipients that it has not taken. */
  retries?: number;
  /** The first pause; each is about twice the one before, a minute at most. A server that greylists wants minutes. */
  pauseMs?: number;
  /** Of `openMail`: how many connections at most. */
  connections?: number;
  /** Sends nothing: the answer has the whole message, as it would have gone out. */
  dry?: boolean;
};

export type Sent = {
  /** The message id, which is the same in all tries. */
  id: string;
  /** Who is to get it, by the server's word. */
  accepted: string[];
  /** Of a dry run. */
  message?: string;
};

export type Mailer = AsyncDisposable & {
  send(mail: Mail): Promise<Sent>;
  /** Waits for what is being sent. Again it does nothing. */
  close(): Promise<void>;
};
