import type { Queryable } from '../lib/conn.ts';

/**
 * The text of the newest root.json, which a host that joins is to trust; undefined while the fleet has none. Until the
 * store keeps the fleet's signing metadata there is none.
 */
export async function currentRoot(_db: Queryable): Promise<string | undefined> {
  return undefined;
}
