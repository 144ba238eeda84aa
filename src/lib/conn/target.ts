import { connect, isIP } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { databaseSettings } from '../environment.ts';
import { InputError } from '../errors.ts';
import { bareHost, readCa, tlsOf } from '../secure.ts';
import { readOptionFile } from './optionfile.ts';
import type { ConnOptions, Server } from './types.ts';

/** Where a database is and who we are there, from whatever it was said by. */
export type Target = {
  /** For messages: `host:3306/name`. */
  where: string;
  user: string;
  password: string;
  database: string;
  /** As the driver wants it. */
  reach: object;
};

type Security = Pick<ConnOptions, 'ca' | 'tls'>;

const DEFAULT_PORT = 3306;
const EXAMPLE = 'mysql://user:password@host:3306/name';

/** Without `given` the environment says: `$MEGA_MYSQL`, a URL, or `$MEGA_MYSQL_FILE`, an option file. */
export function targetOf(given: string | Server | undefined, security: Security = {}): Target {
  if (typeof given === 'object') return ofServer(given, security);
  const { url = undefined, optionFile } = given === undefined ? databaseSettings() : { url: given };
  if (url !== undefined) return ofUrl(url, security);
  if (optionFile !== undefined) return ofServer({ optionFile }, security);
  const remedy = `give conn() a URL (${EXAMPLE}), or set $MEGA_MYSQL, or $MEGA_MYSQL_FILE to an option file`;
  throw new InputError('no_config', `which database? ${remedy}`);
}

function ofUrl(text: string, security: Security): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined; // what is no URL may still hold a password
  if (!url || !/^(mysql|mariadb):$/.test(url.protocol) || url.hostname === '')
    throw new InputError('bad_argument', `this is no URL of a database such as ${EXAMPLE}`);
  return {
    where: `${url.hostname}:${url.port || DEFAULT_PORT}${url.pathname}`,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    reach: reach(url, security),
  };
}

function ofServer(given: Server, security: Security): Target {
  const file = given.optionFile === undefined ? {} : fromFile(given.optionFile, given.group);
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const server: Server & Security = { ...file, ...named };
  const { host = 'localhost', port = DEFAULT_PORT, socket, database = '', password = '' } = server;
  const who = { user: server.user ?? userInfo().username, password, database };
  // As the servers' own programs do: a socket is meant for this machine, and a host of another name is not it.
  if (socket !== undefined && host === 'localhost')
    return { where: `${socket}:${database}`, ...who, reach: { socketPath: socket } };
  const url = new URL(`mysql://${isIP(host) === 6 ? `[${host}]` : host}:${port}`);
  const secured = { ca: security.ca ?? file.ca, tls: security.tls ?? file.tls };
  return { where: `${url.hostname}:${port}/${database}`, ...who, reach: reach(url, secured) };
}

function fromFile(path: string, group?: string): Server & Security {
  const found = readOptionFile(path.replace(/^~(?=\/)/, homedir()), group);
  const text = (name: string) => found.get(name) || undefined;
  const port = text('port');
  const ca = text('ssl-ca');
  const tls = tlsIn(found);
  const names = ['host', 'socket', 'user', 'password', 'database'];
  return {
    ...Object.fromEntries(names.map((name) => [name, text(name)]).filter(([, value]) => value !== undefined)),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(ca === undefined ? {} : { ca: readCa(ca) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Whether TLS is on; whoever is spoken to over TLS is always verified, whatever a file says. */
function tlsIn(found: Map<string, string>): boolean | undefined {
  const mode = found.get('ssl-mode')?.toUpperCase();
  if (mode === 'DISABLED' || found.has('skip-ssl') || /^(0|off|false)$/i.test(found.get('ssl') ?? ''))
    return false;
  if (mode === 'PREFERRED') return undefined;
  return mode !== undefined || found.has('ssl') || found.has('ssl-ca') ? true : undefined;
}

/**
 * Where the server is, and whether TLS comes before the password. The driver names to Node.js what it connects to, so
 * that it is found in the certificate, but not an address, for which `localhost` would be looked up instead. So an
 * address is given with the dot that may end a name: then it is named, and Node.js still finds the address in it.
 */
function reach(target: URL, security: Security): object {
  const host = bareHost(target.hostname);
  const port = Number(target.port || DEFAULT_PORT);
  const { tls, ca } = tlsOf(target, security);
  if (!tls) return { host, port };
  const ssl = { ...(ca === undefined ? {} : { ca }), verifyIdentity: true };
  if (isIP(host) === 0) return { host, port, ssl };
  return { host: `${host}.`, port, ssl, stream: () => connect({ host, port, keepAlive: true }) };
}
