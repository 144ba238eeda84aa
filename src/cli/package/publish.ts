import type { Command } from 'commander';
import { packageName } from '../../lib/home.ts';
import type { Manifest } from '../../lib/manifest.ts';
import type { Call } from '../../lib/sender.ts';
import { formatSize } from '../../lib/utils.ts';
import type { Package } from '../answers.ts';
import { EXIT } from '../exit.ts';
import { KEYS_OPTION, type KeyOptions, OfflineSigner, PASSPHRASE_OPTION } from '../keys/signer.ts';
import { allHosts, withSender } from '../session.ts';
import { act, example, type Room } from '../world.ts';
import { type PackageFile, readPackage } from './read.ts';
import { signPackage } from './sign.ts';
import { uploadPackage } from './upload.ts';

type PublishOptions = KeyOptions & { sign: boolean };

/** `mega package publish`: uploads a package, then signs it. */
export function addPublish(group: Command, room: Room): void {
  const publish = group
    .command('publish <file>')
    .description(
      'upload a package, a release or a runtime, and sign it; run again, it goes on where it was interrupted',
    )
    .option(...KEYS_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--no-sign', 'only upload: whoever holds the targets key publishes the same file again');
  publish.action(
    act<PublishOptions>(room, async (options, file) => {
      const signer = options.sign ? OfflineSigner.of(room, options) : undefined;
      const about = await readPackage(file!);
      await signer?.unlock('targets'); // whoever enters the passphrase need not wait for the upload
      return withSender(options, async (call) => {
        const uploaded = await uploadPackage(call, file!, about, room.err);
        if (!signer) room.out.write(`${titleOf(about)} is uploaded, and not signed yet\n`);
        else room.out.write(publishedWords(about, (await signPackage(call, signer, about)) || uploaded));
        const lacking = about.manifest.name === 'mega' ? await withoutRuntime(call, about.manifest) : [];
        if (lacking.length > 0) room.err.write(lackingWords(about.manifest.runtime, lacking));
        return EXIT.good;
      });
    }),
  );
  example(
    publish,
    'mega package publish dist/mega-1.1.0.tar.gz',
    'mega package publish dist/mega-1.1.0.tar.gz --keys /media/keys',
  );
}

function titleOf({ manifest }: PackageFile): string {
  return manifest.name === 'mega' ? `mega ${packageName(manifest)}` : packageName(manifest);
}

function publishedWords(about: PackageFile, anew: boolean): string {
  const { manifest, size } = about;
  const next =
    manifest.name === 'mega'
      ? `mega upgrade --to ${packageName(manifest)} --on all`
      : `mega package build --version <new> --runtime ${manifest.runtime}`;
  const how = anew ? `is published (${formatSize(size)})` : 'is published already';
  return `${titleOf(about)} ${how}\nNext: ${next}\n`;
}

/** For which of its platforms, as far as the fleet has hosts of them, the runtime of a release is not published. */
async function withoutRuntime(call: Call, { runtime, platforms }: Manifest): Promise<string[]> {
  const all = await call<Package[]>('get_all_package');
  const ready = new Set(all.filter((one) => one.state === 'ready').map((one) => one.name));
  const there = new Set((await allHosts(call)).flatMap((host) => host.platform ?? []));
  const wanted = platforms.filter((platform) => there.size === 0 || there.has(platform));
  return wanted.filter((platform) => !ready.has(`${runtime}-${platform}`));
}

/** No error: hosts that have it already do without. */
function lackingWords(runtime: string, platforms: string[]): string {
  return (
    `mega: ${runtime} is not published for ${platforms.join(', ')}: a host there that does not have it yet refuses ` +
    'this version. To be able to give it to them: mega package build-runtime --platform <name>, and publish that\n'
  );
}
