import type { Context } from './context.ts';
import { makeFirstAdmins } from './store/users.ts';

/** A fleet without users belongs to whom `mega setup` has made its operator. */
export async function seeToAdmins({ db, config, logger }: Context): Promise<void> {
  if (await makeFirstAdmins(db, config.admins)) return;
  const remedy = 'put "admins": ["name"] into the configuration, as mega setup does';
  logger.warn(`this fleet has no users, so nobody may call a function: ${remedy}`);
}
