import { z } from 'zod';
import { putMetadata } from '../trust/put.ts';
import { signerOf } from '../trust/watch.ts';
import { ANYONE, fn, OPERATOR } from './function.ts';

/** More roots than a host walks through in one go. */
const MAX_ROOTS = 64;

export const metadataFunctions = [
  fn({
    name: 'get_metadata',
    help: 'A piece of the signed metadata by its name: 2.root.json, 5.snapshot.json, 7.targets.json, timestamp.json; without a number the newest. "text" is null where there is none.',
    callers: ANYONE,
    effect: 'reads',
    input: z.object({ name: z.string().max(64) }),
    output: z.object({ text: z.string().nullable() }),
    handler: async (room, { name }) => ({ text: (await room.metadata.text(name)) ?? null }),
  }),
  fn({
    name: 'put_metadata',
    help: 'Takes over what the offline keys have signed: roots in order, targets in place of the version that it "replaces". Snapshot and timestamp are signed anew with it.',
    callers: OPERATOR,
    effect: 'changes',
    input: z.object({
      roots: z.array(z.string()).max(MAX_ROOTS).default([]),
      targets: z.string().optional(),
      replaces: z.int().min(0),
    }),
    output: z.object({ root: z.number(), targets: z.number() }),
    handler: (room, signed) => putMetadata(room.db, signed, signerOf(room.config)),
  }),
];
