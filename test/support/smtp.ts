import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type Received = { from: string; to: string[]; text: string };
export type Smtp = AsyncDisposable & { url: string; received: Received[]; connections(): number };

/** A real SMTP server on loopback that keeps what it takes. */
export async function startSmtp(options: SMTPServerOptions = {}): Promise<Smtp> {
  const received: Received[] = [];
  let connections = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onConnect: (_session, done) => {
      connections++;
      done();
    },
    onData: (stream, { envelope }, done) => {
      let text = '';
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      stream.on('end', () => {
        const from = envelope.mailFrom ? envelope.mailFrom.address : '';
        received.push({ from, to: envelope.rcptTo.map(({ address }) => address), text });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise((done) => server.close(done)),
  };
}

/** What a server says to a command; undefined: nothing more, ever. `end`: it breaks off. `drip`: a word for ever. */
export type Answer = string | undefined | 'end' | 'drip';

/** A server that goes wrong where `answer` says so; commands are the greeting, EHLO, MAIL, RCPT, DATA, text, end. */
export async function startBrokenSmtp(answer: (command: string) => Answer) {
  const sockets = new Set<Socket>();
  const heard: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    let inData = false;
    const say = (command: string) => {
      heard.push(command);
      const said = answer(command);
      if (said === 'end') socket.destroy();
      else if (said === 'drip') drip(socket);
      else if (said !== undefined) socket.write(`${said}\r\n`);
      inData = command === 'DATA' && said?.startsWith('354') === true;
    };
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (inData) return say(bytes.toString().endsWith('\r\n.\r\n') ? 'end' : 'text');
      for (const line of bytes.toString().split('\r\n').filter(Boolean))
        say(line.split(/[ :]/)[0]!.toUpperCase());
    });
    say('greeting');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  const { port } = server.address() as AddressInfo;
  return { url: `smtp://127.0.0.1:${port}`, heard, [Symbol.asyncDispose]: close };
}

const DRIP_MS = 15;

function drip(socket: Socket): void {
  const timer = setInterval(() => socket.write('250-one moment\r\n'), DRIP_MS);
  socket.once('close', () => clearInterval(timer));
}

const USUAL: Record<string, string> = {
  greeting: '220 broken',
  DATA: '354 go on',
  end: '250 taken',
  QUIT: '221 bye',
};
/** As any server answers. */
export const usual = (command: string): string => USUAL[command] ?? '250 good';
