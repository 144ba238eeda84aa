import { databases } from './databases.ts';
import { disks } from './disks.ts';
import { machine } from './machine.ts';

/** What a database team asks of a machine, found without a login anywhere. Bounded in number and time. */
export async function factsOf(signal: AbortSignal) {
  const found = { ...machine(), disks: await disks(), databases: await databases(signal) };
  return { ...found, collectedAt: new Date().toISOString() };
}
