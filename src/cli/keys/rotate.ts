import type { KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import { InputError } from '../../lib/errors.ts';
import type { Call } from '../../lib/sender.ts';
import { lockKey } from '../../lib/trust/jose.ts';
import { keyId, newKey, publicHalf } from '../../lib/trust/keys.ts';
import { type Holders, holdersOf, type Role } from '../../lib/trust/metadata.ts';
import { isOrderKey, orderKeyTarget } from '../../lib/trust/targets.ts';
import { EXIT } from '../exit.ts';
import { withSender } from '../session.ts';
import { quoted } from '../text.ts';
import { act, example, type Output, type Room } from '../world.ts';
import { changeRoot, changeTargets, pushAll } from './change.ts';
import { type OnlineKeys, readOnlineKeys, writeOnlineKey } from './dispatcherfile.ts';
import type { OfflineRole } from './pending.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from './signer.ts';

type RotateOptions = KeyOptions & { dispatcher?: string; retire?: true; replace?: string };
type Doing = { call: Call; signer: OfflineSigner; out: Output };

const WHAT = ['root', 'targets', 'online', 'orders'] as const;

/** `mega keys rotate`: a new key in the place of an old one, without a moment in which a host believes nobody. */
export function addRotate(group: Command, room: Room): void {
  const rotate = group
    .command('rotate <key>')
    .description(`replace a key by a new one: ${WHAT.join(', ')}`)
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--replace <id>', 'root, targets: which key goes (default: those whose files are here)')
    .option('--dispatcher <file>', 'online, orders: the dispatcher.json that gets the new key')
    .option('--retire', 'online, orders: no new key; only the one in --dispatcher is believed from now on');
  rotate.action(
    act<RotateOptions>(room, async (options, what) => {
      const signer = OfflineSigner.of(room, options);
      await withSender(options, async (call) => {
        const doing = { call, signer, out: room.out };
        if (what === 'root' || what === 'targets') return replaceOffline(doing, what, options.replace);
        if (what === 'online') return rotateOnline(doing, fileOf(options), options.retire ?? false);
        if (what === 'orders') return rotateOrders(doing, fileOf(options), options.retire ?? false);
        throw new InputError('bad_argument', `there is no key called "${what}": ${WHAT.join(', ')}`);
      });
      return EXIT.good;
    }),
  );
  example(
    rotate,
    'mega keys rotate targets',
    'mega keys rotate online --dispatcher etc/dispatcher.json',
    'mega keys rotate online --dispatcher etc/dispatcher.json --retire',
  );
}

function fileOf({ dispatcher }: RotateOptions): string {
  if (dispatcher !== undefined) return dispatcher;
  throw new InputError('bad_argument', 'name the dispatcher.json with --dispatcher');
}

async function replaceOffline({ call, signer, out }: Doing, role: OfflineRole, id?: string): Promise<void> {
  const { folder } = signer;
  const here = new Map(folder.keyFiles().map((file) => [file.id, file.name]));
  const passphrase = await signer.passphrase();
  await changeRoot(call, signer, async (holders) => {
    const { keys, threshold } = holders[role];
    const goes = keys.map(keyId).filter((one) => (id === undefined ? here.has(one) : one.startsWith(id)));
    if (goes.length === 0 || (id !== undefined && goes.length > 1)) {
      const which =
        id === undefined
          ? `no ${role} key in use is in ${folder.path}`
          : `"${id}" names no single ${role} key`;
      throw new InputError('bad_argument', `${which}; mega keys show lists them`);
    }
    const fresh = goes.map(newKey);
    for (const key of fresh) {
      const name = folder.addKey(role, await lockKey(key, passphrase));
      out.write(`${name} is new\n`);
    }
    const old = goes.flatMap((one) => here.get(one) ?? []);
    if (old.length > 0) out.write(`once this has succeeded, destroy ${old.join(', ')}\n`);
    return {
      ...holders,
      [role]: { keys: [...keys.filter((key) => !goes.includes(keyId(key))), ...fresh], threshold },
    };
  });
  out.write(`the ${role} key is replaced\n`);
}

async function rotateOnline({ call, signer, out }: Doing, file: string, retire: boolean): Promise<void> {
  const namedBy = (holders: Record<Role, Holders>, change: (one: Holders) => KeyObject[]) => {
    const { snapshot, timestamp } = holders;
    const one = { keys: change(snapshot), threshold: 1 };
    return { ...holders, snapshot: one, timestamp: { keys: change(timestamp), threshold: 1 } };
  };
  if (retire) {
    const own = publicHalf(readOnlineKeys(file).online);
    await changeRoot(call, signer, (holders) => namedBy(holders, () => [own]));
    return tellRetired(out, 'online', file);
  }
  await pushAll(call, signer);
  const { name, key } = await nextKey(signer, 'online');
  const id = keyId(key);
  if (!holdersOf(signer.folder.root()).timestamp.keys.some((one) => keyId(one) === id)) {
    await changeRoot(call, signer, (holders) => namedBy(holders, ({ keys }) => [...keys, publicHalf(key)]));
  }
  handOver({ signer, out }, file, 'online', { name, key });
}

async function rotateOrders({ call, signer, out }: Doing, file: string, retire: boolean): Promise<void> {
  const believe = (key: KeyObject) => {
    const added = orderKeyTarget(key);
    return changeTargets(call, signer, (targets) => [
      ...targets.filter((one) => one.path !== added.path && !(retire && isOrderKey(one))),
      added,
    ]);
  };
  if (retire) {
    await believe(readOnlineKeys(file).orders);
    return tellRetired(out, 'orders', file);
  }
  const next = await nextKey(signer, 'orders');
  await believe(next.key);
  handOver({ signer, out }, file, 'orders', next);
}

type NextKey = { name: string; key: KeyObject };

/**
 * An online key that is to be: locked in the folder until it is believed, however many signatures that takes, and only
 * then written into dispatcher.json. So a dispatcher that is started meanwhile has one that is.
 */
async function nextKey(signer: OfflineSigner, kind: keyof OnlineKeys): Promise<NextKey> {
  const { folder } = signer;
  const begun = folder.keyFiles().find((file) => file.name.startsWith(`${kind}-`));
  if (begun) return { name: begun.name, key: await signer.unlockFile(begun) };
  const key = newKey();
  return { name: folder.addKey(kind, await lockKey(key, await signer.passphrase())), key };
}

function handOver(
  { signer, out }: Pick<Doing, 'signer' | 'out'>,
  file: string,
  kind: keyof OnlineKeys,
  { name, key }: NextKey,
): void {
  writeOnlineKey(file, kind, key);
  signer.folder.removeKey(name);
  out.write(`${file} has a new ${kind} key, and the old one is believed as well for now.\n`);
  out.write('Next: start every dispatcher again with that file, and then\n');
  out.write(`  mega keys rotate ${kind} --dispatcher ${quoted(file)} --retire\n`);
}

function tellRetired(out: Output, kind: keyof OnlineKeys, file: string): void {
  out.write(`only the ${kind} key in ${file} is believed from now on\n`);
}
