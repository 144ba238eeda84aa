import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export type Letter = {
  at: number;
  to: string[];
  /** By their names in lower case, each as often as it came. */
  headers: Map<string, string[]>;
  /** Its parts, as they are read. */
  text: string;
  html: string;
};

const USER = 'mega';
const PASSWORD = 'hush@hush';

/** A real mail server, which can be away, refuse, and say what it was given. */
export class Postbox implements AsyncDisposable {
  readonly letters: Letter[] = [];
  /** Said to whoever sends, with this code. */
  refusal: { responseCode: number; message: string } | undefined;
  /** How long it takes to say that it has a letter. */
  delayMs = 0;
  #server: SMTPServer | undefined;
  #port = 0;

  static async open(): Promise<Postbox> {
    const box = new Postbox();
    await box.open();
    return box;
  }

  /** With the password. */
  get url(): string {
    return `smtp://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}`;
  }

  get secrets(): string[] {
    const login = Buffer.from(`\0${USER}\0${PASSWORD}`).toString('base64');
    return [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(PASSWORD).toString('base64'), login];
  }

  /** Always on the same port. */
  async open(): Promise<void> {
    const server = new SMTPServer({
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      onAuth: ({ username, password }, _session, done) =>
        username === USER && password === PASSWORD
          ? done(null, { user: USER })
          : done(new Error('wrong password')),
      onData: (stream, { envelope }, done) => {
        const parts: Buffer[] = [];
        stream.on('data', (bytes: Buffer) => parts.push(bytes));
        stream.on('end', () => {
          const { refusal } = this;
          if (refusal) return done(Object.assign(new Error(refusal.message), refusal));
          const to = envelope.rcptTo.map((one) => one.address);
          this.letters.push({ at: performance.now(), to, ...read(Buffer.concat(parts).toString()) });
          setTimeout(done, this.delayMs);
        });
      },
    });
    server.on('error', () => undefined); // a sender that was killed
    server.listen(this.#port, '127.0.0.1');
    await once(server.server, 'listening');
    this.#port = (server.server.address() as AddressInfo).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise<void>((done) => server.close(done));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function read(raw: string): Pick<Letter, 'headers' | 'text' | 'html'> {
  const { headers, body } = split(raw);
  const boundary = /boundary="([^"]+)"/.exec(one(headers, 'content-type'))?.[1];
  const parts = boundary === undefined ? [raw] : body.split(`--${boundary}`).slice(1, -1);
  const read = parts.map((part) => {
    const { headers: own, body: words } = split(part.trimStart());
    return { type: one(own, 'content-type'), text: decoded(words, one(own, 'content-transfer-encoding')) };
  });
  const of = (type: string) => read.find((part) => part.type.startsWith(type))?.text ?? '';
  return { headers, text: of('text/plain'), html: of('text/html') };
}

function split(raw: string): { headers: Map<string, string[]>; body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
  }
  return { headers, body: raw.slice(end + 4) };
}

const one = (headers: Map<string, string[]>, name: string) => headers.get(name)?.[0] ?? '';

function decoded(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding !== 'quoted-printable') return body.replaceAll('\r\n', '\n');
  const bytes = body
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n');
}
