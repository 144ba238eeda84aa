import type { Queryable } from '../lib/conn.ts';
import { MegaError } from '../lib/errors.ts';
import { lesserRole, ownerOf, type PersonRole } from '../lib/people.ts';
import { getApiToken } from './store/api-tokens.ts';
import { getUser } from './store/users.ts';

/** So long another dispatcher may go on believing in what was changed here. */
const KEEP_MS = 1_000;
const KEEP_AT_MOST = 1_000;

/**
 * What people and scripts may do, by the login that the broker has checked. It is looked up again each second, so that
 * a role that was taken away is gone at once, on all dispatchers; and a login that is removed is thrown out by the
 * broker besides.
 */
export class People {
  #db: Queryable;
  #known = new Map<string, { role: PersonRole; until: number }>();

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Errors: `refused`, with what to do about it. */
  async roleOf(login: string): Promise<PersonRole> {
    const known = this.#known.get(login);
    if (known && known.until > performance.now()) return known.role;
    const role = await this.#look(login);
    if (this.#known.size >= KEEP_AT_MOST) this.#known.clear();
    this.#known.set(login, { role, until: performance.now() + KEEP_MS });
    return role;
  }

  /** Somebody's role or token was changed here. */
  forget(): void {
    this.#known.clear();
  }

  async #look(login: string): Promise<PersonRole> {
    const owner = ownerOf(login);
    if (!owner) throw refused(`"${login}" is no login of this fleet: mega user add makes one`);
    const { user, token } = owner;
    if (token !== undefined) return this.#lookAtToken(user, token);
    const found = await getUser(this.#db, user);
    if (found) return found.role;
    const remedy = `an admin adds it: mega user add ${user} --role viewer --out FILE`;
    throw refused(`the broker lets ${login} in, but this fleet has no user "${user}"; ${remedy}`);
  }

  async #lookAtToken(user: string, token: string): Promise<PersonRole> {
    const found = await getApiToken(this.#db, user, token);
    const remedy = `mega user token create ${user} --name ${token} makes another`;
    if (!found) throw refused(`${user} has no API token "${token}"; ${remedy}`);
    if (found.expired) {
      const when = found.expiresAt.toISOString();
      throw refused(`the API token "${token}" of ${user} expired at ${when}; ${remedy}`);
    }
    return lesserRole(found.role, found.ownersRole);
  }
}

const refused = (message: string) => new MegaError('refused', message);
