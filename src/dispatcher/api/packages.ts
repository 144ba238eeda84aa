import { z } from 'zod';
import { artifact, manifest, schemas } from '../../lib/messages.ts';
import { beginUpload, finishUpload, receiveChunk } from '../packages/receive.ts';
import { openArtifact } from '../packages/stream.ts';
import { listPackages } from '../store/packages.ts';
import { ANYONE, fn, OPERATOR } from './function.ts';

const listed = z.object({
  version: z.string(),
  sha256: z.string(),
  size: z.number(),
  state: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
});

export const packageFunctions = [
  fn({
    name: 'get_package',
    help: 'Where to read an artifact: its stream, made (again) when it is not there. "artifact" is null while it is being filled: ask again. "again" says that the stream did not hold all of it.',
    callers: ANYONE,
    input: z.object({ sha256: schemas.sha256, again: z.boolean().default(false) }),
    output: z.object({ artifact: artifact.nullable() }),
    handler: async (room, { sha256, again }) => ({
      artifact: (await openArtifact(room, sha256, again)) ?? null,
    }),
  }),
  fn({
    name: 'get_all_package',
    help: 'The published packages, oldest first.',
    callers: OPERATOR,
    input: z.object({}),
    output: z.array(listed),
    handler: async (room) =>
      (await listPackages(room.db)).map(({ version, sha256, size, state, createdAt, createdBy }) => {
        return { version, sha256, size, state, createdAt: createdAt.toISOString(), createdBy };
      }),
  }),
  fn({
    name: 'begin_package',
    help: 'Begins or resumes the upload of a package; answers which chunks are missing.',
    callers: OPERATOR,
    input: z.object({ manifest, sha256: schemas.sha256, size: z.int().min(1) }),
    output: z.object({ state: z.string(), chunkBytes: z.number(), missing: z.array(z.number()) }),
    handler: (room, { manifest: about, sha256, size }, caller) =>
      beginUpload(room, { version: about.version, manifest: about, sha256, size }, caller.id),
  }),
  fn({
    name: 'put_chunk',
    help: 'One chunk of an upload, in base64; sending it twice does no harm.',
    callers: OPERATOR,
    input: z.object({ sha256: schemas.sha256, index: z.int().min(0), bytes: z.base64() }),
    output: z.object({}),
    handler: async (room, { sha256, index, bytes }) => {
      await receiveChunk(room, sha256, index, Buffer.from(bytes, 'base64'));
      return {};
    },
  }),
  fn({
    name: 'finish_package',
    help: 'Checks the whole upload against its sha256; from then on the version can be ordered.',
    callers: OPERATOR,
    input: z.object({ sha256: schemas.sha256 }),
    output: z.object({ version: z.string() }),
    handler: async (room, { sha256 }) => ({ version: (await finishUpload(room, sha256)).version }),
  }),
];
