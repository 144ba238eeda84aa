import { describe, InputError } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { jobsNaming, lockPackage, type PackageRow, removePackage } from '../store/packages.ts';
import { deleteStream } from './sweep.ts';

/**
 * Removes a package: its row with all chunks as one, then its stream, which is swept later if that does not succeed
 * now. Errors: `unknown_package`, and `package_in_use` while an order on its way names it.
 */
export async function dropPackage(context: Context, name: string): Promise<PackageRow> {
  const { db, logger } = context;
  const row = await db.transaction(async (tx) => {
    const found = await lockPackage(tx, name);
    if (!found) {
      throw new InputError('unknown_package', `there is no package ${name}; mega package list shows all`);
    }
    const [job, ...more] = await jobsNaming(tx, found.sha256);
    if (job) {
      const others = more.length > 0 ? ` and ${more.length} more` : '';
      const remedy = `wait for its end (mega job watch ${job}), or cancel its open tasks (mega task cancel)`;
      throw new InputError('package_in_use', `${name} is on its way in job ${job}${others}: ${remedy}`);
    }
    await removePackage(tx, found);
    return found;
  });
  await deleteStream(context, row.sha256, `${name} was removed`).catch((error: unknown) => {
    logger.warn({ package: name, error: describe(error) }, 'its stream is to be swept later');
  });
  return row;
}
