import { mkdirSync } from 'node:fs';
import { z } from 'zod';
import { Broker } from '../lib/broker.ts';
import { InputError, UnavailableError } from '../lib/errors.ts';
import { removeDurably } from '../lib/files.ts';
import type { Home } from '../lib/home.ts';
import { readIdentity } from '../lib/identity.ts';
import { check, schemas } from '../lib/messages.ts';
import { caller } from '../lib/sender.ts';
import { decodeToken, joinPassword, MAX_TOKEN_BYTES, sha256Hex, type Token } from '../lib/token.ts';
import { joinerUser } from '../lib/topology.ts';
import { get_host_name, HOST_ID, platform, sleep, uuidv7 } from '../lib/utils.ts';
import { faultPoint } from './fault.ts';
import { type Joining, prepare, securityOf, settle } from './joining.ts';
import { Journal } from './journal.ts';

const TRY_MS = 60_000;
const ANSWER_MS = 10_000;
const AGAIN_MS = 1_000;

const answered = z.object({ host: schemas.host, root: z.string().max(256 << 10) });

/**
 * Makes this home a host of the fleet: `mega_client join [--name NAME] <token`. What is to be sent is on disk before
 * it is sent, so that the same command again, after whatever happened, asks for the same and completes it. Errors: `bad_token`, `token_...`, `name_taken`, `cloned`, and
 * those of a broker or dispatcher that is away.
 */
export async function joinFleet(
  home: Home,
  input: AsyncIterable<Buffer | string>,
  name?: string,
): Promise<string> {
  const token = decodeToken(await firstLine(input));
  const before = readIdentity(home.identity);
  const host = name ?? before?.host ?? get_host_name();
  if (!HOST_ID.test(host)) {
    const why = `"${host}" is no host id: a-z, 0-9 and -, at most 63`;
    throw new InputError('bad_argument', `${why}; choose a name with --name`);
  }
  mkdirSync(home.state, { recursive: true, mode: 0o700 });
  using _lock = before && lock(home, before.host);
  const joining = prepare(home, host, before);
  faultPoint(home, 'join:prepared');
  const root = await enrol(home, token, joining);
  faultPoint(home, 'join:answered');
  settle(home, token, joining, root);
  return host;
}

async function firstLine(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = '';
  for await (const piece of input) {
    text += piece.toString();
    if (text.includes('\n') || text.length > MAX_TOKEN_BYTES) break;
  }
  return text.trim().split('\n', 1)[0]!.trim();
}

/** An agent of this home that runs would go on as who it was. */
function lock(home: Home, host: string): Disposable {
  try {
    const journal = new Journal(home.journal, host, '0.0.0');
    return { [Symbol.dispose]: () => journal.close() };
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'home_in_use') throw cause;
    throw new InputError('bad_state', `the agent of ${home.root} runs; first: mega_client stop`, { cause });
  }
}

/** Asks until it is answered; what the dispatcher refuses leaves nothing behind, here either. */
async function enrol(home: Home, token: Token, joining: Joining): Promise<string> {
  const url = new URL(token.broker);
  url.username = joinerUser(token.id);
  url.password = joinPassword(token.secret);
  const name = `mega join ${joining.host}`;
  await using broker = await Broker.start({ url: url.href, name, reconnectMs: 2_000, ...securityOf(token) });
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => undefined);
  broker.once('refused', () => refused.reject(refusedToken()));
  const asked = { told: joining.isOld };
  try {
    const { root } = await Promise.race([ask(broker, token, joining, asked), refused.promise]);
    requireRoot(token, root);
    return root;
  } catch (error) {
    // Nobody can have registered what nobody was told.
    if (!(error instanceof UnavailableError) && !asked.told) removeDurably(home.joining);
    throw error;
  }
}

async function ask(broker: Broker, token: Token, joining: Joining, asked: { told: boolean }) {
  const { host, machine, passwordHash } = joining;
  const args = { token: token.secret, host, machine, passwordHash, platform: platform() };
  const call = caller(broker);
  const options = { timeoutMs: ANSWER_MS, key: uuidv7() };
  for (const until = Date.now() + TRY_MS; ; ) {
    try {
      const answer = await call('enrol', args, options);
      asked.told = true;
      return check(answered, answer);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      asked.told = true;
      if (Date.now() > until) throw error;
      await sleep(AGAIN_MS * (0.5 + Math.random()), broker.closed);
    }
  }
}

const refusedToken = () =>
  new InputError(
    'token_refused',
    'the broker does not know this token: it was revoked, or is over for long; make another with mega token create',
  );

/** Before anything of it is believed, and before anything is written. */
function requireRoot(token: Token, root: string): void {
  if (token.root === sha256Hex(root)) return;
  throw new InputError(
    'wrong_root',
    'the root of trust that came is not the one that the token names: make another token with mega token create; ' +
      'if that one is refused likewise, somebody has tampered with the dispatcher',
  );
}
