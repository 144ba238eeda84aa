import { z } from 'zod';
import { packageName } from '../../lib/home.ts';
import { packageManifest } from '../../lib/manifest.ts';
import { schemas } from '../../lib/messages.ts';
import { offer } from '../../lib/offer.ts';
import { offerToHost, offerToOperator } from '../packages/admit.ts';
import { beginUpload, finishUpload, receiveChunk } from '../packages/receive.ts';
import { dropPackage } from '../packages/remove.ts';
import { freeSlot } from '../store/downloads.ts';
import { listPackages, type PackageRow } from '../store/packages.ts';
import { isSigned } from '../trust/signed.ts';
import { AGENT, ANYONE, fn, OPERATOR, VIEWER } from './function.ts';

const named = {
  name: z.string(),
  kind: z.enum(['release', 'runtime']),
  /** A release's, which is its name, too. */
  version: z.string().optional(),
};
const listed = z.object({
  ...named,
  sha256: z.string(),
  size: z.number(),
  state: z.string(),
  /** By the offline keys; only then can it be ordered. */
  signed: z.boolean(),
  createdAt: z.string(),
  createdBy: z.string(),
  /** No host is sent to it until release_package. */
  quarantinedAt: z.string().nullable(),
  quarantineReason: z.string().nullable(),
});

const nameOf = ({ name, kind }: PackageRow) => ({
  name,
  kind,
  ...(kind === 'release' ? { version: name } : {}),
});

export const packageFunctions = [
  fn({
    name: 'get_package',
    help: 'Where to read an artifact: its stream, made (again) when it is not there. "artifact" is null while it is being filled, and when as many hosts read as may: ask again, after "retryMs" if that is said. A host reads for "leaseMs" at most, unless it asks again meanwhile. "again" says that the stream did not hold all of it.',
    callers: ANYONE,
    effect: 'reads',
    input: z.object({ sha256: schemas.sha256, again: z.boolean().default(false) }),
    output: offer,
    handler: (room, { sha256, again }, caller) =>
      caller.role === 'agent'
        ? offerToHost(room, caller.id, sha256, again)
        : offerToOperator(room, sha256, again),
  }),
  fn({
    name: 'drop_package',
    help: 'The host reads this artifact no more: another one may.',
    callers: AGENT,
    effect: 'changes',
    input: z.object({ sha256: schemas.sha256 }),
    output: z.object({}),
    handler: async (room, { sha256 }, caller) => {
      await freeSlot(room.db, caller.id, sha256);
      return {};
    },
  }),
  fn({
    name: 'del_package',
    help: 'Removes a package for good, by the name that get_all_package tells; refused while an upgrade that needs it is open.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ name: z.string().min(1).max(64) }),
    output: z.object({ ...named, sha256: z.string(), size: z.number() }),
    handler: async (room, { name }) => {
      const row = await dropPackage(room, name);
      return { ...nameOf(row), sha256: row.sha256, size: row.size };
    },
  }),
  fn({
    name: 'get_all_package',
    help: 'The published packages, releases and runtimes, oldest first.',
    callers: VIEWER,
    effect: 'reads',
    input: z.object({}),
    output: z.array(listed),
    handler: async (room) => {
      const targets = await room.metadata.signed();
      return (await listPackages(room.db)).map((row) => {
        const { sha256, size, state, createdBy, quarantineReason } = row;
        const createdAt = row.createdAt.toISOString();
        const quarantinedAt = row.quarantinedAt?.toISOString() ?? null;
        const about = { sha256, size, state, signed: isSigned(targets, row), createdAt, createdBy };
        return { ...nameOf(row), ...about, quarantinedAt, quarantineReason };
      });
    },
  }),
  fn({
    name: 'begin_package',
    help: 'Begins or resumes the upload of a package; answers which chunks are missing.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ manifest: packageManifest, sha256: schemas.sha256, size: z.int().min(1) }),
    output: z.object({ state: z.string(), chunkBytes: z.number(), missing: z.array(z.number()) }),
    handler: (room, { manifest, sha256, size }, caller) => {
      const kind = manifest.name === 'runtime' ? 'runtime' : 'release';
      return beginUpload(room, { name: packageName(manifest), kind, manifest, sha256, size }, caller.id);
    },
  }),
  fn({
    name: 'put_chunk',
    help: 'One chunk of an upload, in base64; sending it twice does no harm.',
    callers: OPERATOR,
    effect: 'part',
    input: z.object({ sha256: schemas.sha256, index: z.int().min(0), bytes: z.base64() }),
    output: z.object({}),
    handler: async (room, { sha256, index, bytes }) => {
      await receiveChunk(room, sha256, index, Buffer.from(bytes, 'base64'));
      return {};
    },
  }),
  fn({
    name: 'finish_package',
    help: 'Checks the whole upload against its sha256; once it is signed, too (put_metadata), the version can be ordered, or the runtime fetched.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({ sha256: schemas.sha256 }),
    output: z.object(named),
    handler: async (room, { sha256 }) => nameOf(await finishUpload(room, sha256)),
  }),
];
