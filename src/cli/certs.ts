import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Command } from 'commander';
import { expiryWarning } from '../lib/certificate.ts';
import { codeOf, InputError } from '../lib/errors.ts';
import type { Made } from './certs/folder.ts';
import { EXIT } from './exit.ts';
import { quoted } from './text.ts';
import { act, collect, example, type Room, wholeNumber } from './world.ts';

type CertsOptions = { out: string; name: string[]; days: number; caDays: number; passphraseFile?: string };

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const MOST_DAYS = 36_500;

/** `mega certs`: TLS for those who have no CA. */
export function addCerts(program: Command, room: Room): void {
  const certs = program
    .command('certs')
    .description('make a private CA and certificates for servers; again: only what is missing or ends soon')
    .requiredOption('--out <folder>', 'where the CA and the certificates are, or are to be')
    .requiredOption(
      '--name <names>',
      'a server: its DNS name or address, more of them after commas; once for each server',
      collect,
    )
    .option('--days <number>', "how long servers' certificates are good", wholeNumber(1, MOST_DAYS), 825)
    .option('--ca-days <number>', 'how long a new CA is good', wholeNumber(1, MOST_DAYS), 3650)
    .option('--passphrase-file <file>', "holds the passphrase that the CA's key is encrypted with");
  certs.action(
    act<CertsOptions>(room, async ({ name, passphraseFile, ...rest }) => {
      const servers = serversOf(name);
      const passphrase = passphraseFile === undefined ? undefined : passphraseFrom(passphraseFile);
      const { fillFolder } = await import('./certs/folder.ts'); // slow to load, and no other command needs it
      const { ca, servers: made } = await fillFolder({ ...rest, servers, passphrase });
      room.out.write(report(ca, made));
      const remedy = 'make another in another folder, and let all trust both for a while';
      const warning = expiryWarning('the CA', ca.ends, remedy);
      if (warning !== undefined) room.err.write(`mega: warning: ${warning}\n`);
      return EXIT.good;
    }),
  );
  example(certs, 'mega certs --out etc/certs --name rabbit.example.org --name db.example.org,192.0.2.7');
}

function serversOf(given: string[]): string[][] {
  const servers = given.map((names) => names.split(',').map((name) => name.trim()));
  const wrong = servers.flat().find((name) => isIP(name) === 0 && !DNS_NAME.test(name));
  if (wrong !== undefined)
    throw new InputError('bad_argument', `"${wrong}" is neither a DNS name nor an IP address`);
  const files = servers.map(([first]) => first);
  const twice = files.find((name, at) => name === 'ca' || files.indexOf(name) !== at);
  if (twice === undefined) return servers;
  const why = twice === 'ca' ? "is what the CA's files are called" : 'comes first twice';
  throw new InputError('bad_argument', `the name ${twice} ${why}: let each --name begin with another`);
}

function passphraseFrom(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new InputError('bad_argument', `the file ${path} cannot be read (${codeOf(cause)})`, { cause });
  }
  if (text === '') throw new InputError('bad_argument', `the file ${path} is empty`);
  return text;
}

function report(ca: Made, servers: Made[]): string {
  const lines = [told('the CA', ca), ...servers.map((one) => told(one.names.join(', '), one)), ''];
  lines.push(...rabbitMqSettings(ca, servers[0]!), '', ...mysqlSettings(ca, servers.at(-1)!), '');
  lines.push(
    'Copy these three files to that server, and let only the user of its service read the key. Whoever connects needs',
    `the CA's certificate: mega setup --ca ${quoted(ca.certificate)}, or "ca" in a configuration.`,
    'Keep the key of the CA where nobody finds it: who has it can pass for every server.',
  );
  return `${lines.join('\n')}\n`;
}

function told(what: string, { certificate, ends, why }: Made): string {
  const until = ends.toISOString().slice(0, 10);
  return `${what}: ${certificate}, good until ${until}, ${why === undefined ? 'kept' : `made, since ${why}`}`;
}

function rabbitMqSettings(ca: Made, { names, certificate, key }: Made): string[] {
  const files = (prefix: string) => [
    `  ${prefix}.cacertfile = ${ca.certificate}`,
    `  ${prefix}.certfile = ${certificate}`,
    `  ${prefix}.keyfile = ${key}`,
  ];
  return [
    `In rabbitmq.conf, if ${names[0]} is a RabbitMQ:`,
    '  listeners.ssl.default = 5671',
    ...files('ssl_options'),
    '  ssl_options.verify = verify_none',
    '  management.ssl.port = 15671',
    ...files('management.ssl'),
  ];
}

function mysqlSettings(ca: Made, { names, certificate, key }: Made): string[] {
  return [
    `In my.cnf, if ${names[0]} is a MySQL or MariaDB:`,
    '  [mysqld]',
    `  ssl_ca = ${ca.certificate}`,
    `  ssl_cert = ${certificate}`,
    `  ssl_key = ${key}`,
    '  require_secure_transport = ON',
  ];
}
