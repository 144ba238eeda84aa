import { type KeyObject, sign as signBytes } from 'node:crypto';
import {
  Metadata,
  MetadataKind,
  MetaFile,
  type Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import { InputError } from '../errors.ts';
import { keyId, publicFromHex, publicHex } from './keys.ts';

/**
 * Metadata of The Update Framework (specification 1.0): made, signed, and checked against a root. The one owner of
 * @tufjs/models. A piece of metadata is kept, sent and compared as the text that was signed.
 */
export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type Role = (typeof ROLES)[number];

/** Whose signatures a role needs, and how many of them. Private or public halves. */
export type Holders = { keys: KeyObject[]; threshold: number };

/** What is signed of a file; `custom` is whatever its kind says. */
export type Target = { path: string; length: number; sha256: string; custom: Record<string, unknown> };

/** What a host reads of each: with the rest of a message, and JSON in JSON, less than a message may have. */
export const MAX_BYTES = { root: 64 << 10, targets: 768 << 10 } as const;

const SPECIFICATION = '1.0.31';

type About = { version: number; expires: Date };
type Any = Root | Targets | Snapshot | Timestamp;

export function makeRoot(about: About, holders: Record<Role, Holders>): string {
  const all = ROLES.flatMap((role) => holders[role].keys);
  const roles = ROLES.map((role) => {
    const { keys, threshold } = holders[role];
    return [role, { keyids: [...new Set(keys.map(keyId))], threshold }];
  });
  const { specVersion, version, expires } = stamped(about);
  const signed = {
    ...{ _type: 'root', spec_version: specVersion, version, expires, consistent_snapshot: true },
    keys: Object.fromEntries(all.map((key) => [keyId(key), tufKey(key)])),
    roles: Object.fromEntries(roles),
  };
  return textOf(read('root', JSON.stringify({ signed, signatures: [] })));
}

export function makeTargets(about: About, targets: Target[]): string {
  const made = new Targets(stamped(about));
  for (const { path, length, sha256, custom } of targets) {
    made.addTarget(
      new TargetFile({ path, length, hashes: { sha256 }, unrecognizedFields: { custom: json(custom) } }),
    );
  }
  return textOf(new Metadata(made));
}

/** Names this version of the targets, and no other file. */
export function makeSnapshot(about: About, targetsText: string): string {
  const { version } = read('targets', targetsText).signed;
  return textOf(
    new Metadata(new Snapshot({ ...stamped(about), meta: { 'targets.json': new MetaFile({ version }) } })),
  );
}

export function makeTimestamp(about: About, snapshotText: string): string {
  const { version } = read('snapshot', snapshotText).signed;
  return textOf(new Metadata(new Timestamp({ ...stamped(about), snapshotMeta: new MetaFile({ version }) })));
}

/** The version of the targets that a snapshot names, or of the snapshot that a timestamp names. */
export function namedIn(role: 'snapshot' | 'timestamp', text: string): number {
  const { signed } = read(role, text);
  const named =
    role === 'snapshot' ? (signed as Snapshot).meta['targets.json'] : (signed as Timestamp).snapshotMeta;
  if (!named) throw new InputError('bad_metadata', `this ${role}.json names nothing`);
  return named.version;
}

/** Adds the signatures of these keys to those that are there. */
export function sign(role: Role, text: string, keys: KeyObject[]): string {
  const metadata = read(role, text);
  for (const key of keys) {
    metadata.sign(
      (bytes) => new Signature({ keyID: keyId(key), sig: signBytes(null, bytes, key).toString('hex') }),
    );
  }
  return textOf(metadata);
}

/**
 * That enough of the keys that `rootText` names for the role have signed. Expiry and versions are looked at by whoever
 * asks. Error: `bad_metadata`.
 */
export function verifySigned(rootText: string, role: Role, text: string): void {
  const root = read('root', rootText);
  const metadata = read(role, text);
  try {
    root.verifyDelegate(role, metadata);
  } catch (cause) {
    throw new InputError('bad_metadata', `${role}.json: ${(cause as Error).message}`, { cause });
  }
}

/** That this root follows that one, or, as the first, begins a chain: TUF 5.3.4 and 5.3.5. Error: `bad_metadata`. */
export function verifyRoot(before: string | undefined, text: string): void {
  const version = (before === undefined ? 0 : aboutOf('root', before).version) + 1;
  const found = aboutOf('root', text).version;
  if (found !== version) {
    throw new InputError('bad_metadata', `root.json has version ${found} where ${version} should follow`);
  }
  if (before !== undefined) verifySigned(before, 'root', text);
  verifySigned(text, 'root', text);
}

export function aboutOf(role: Role, text: string): About {
  const { version, expires } = read(role, text).signed;
  return { version, expires: new Date(expires) };
}

export function targetsOf(text: string): Target[] {
  const { targets } = read('targets', text).signed as Targets;
  return Object.values(targets).map(({ path, length, hashes, custom }) => {
    return { path, length, sha256: hashes.sha256 ?? '', custom };
  });
}

export function holdersOf(rootText: string): Record<Role, Holders> {
  const { keys, roles } = read('root', rootText).signed as Root;
  const holders = (role: Role): Holders => {
    const { keyIDs, threshold } = roles[role]!;
    return { keys: keyIDs.map((id) => publicFromHex(keys[id]?.keyVal.public ?? '')), threshold };
  };
  return {
    root: holders('root'),
    targets: holders('targets'),
    snapshot: holders('snapshot'),
    timestamp: holders('timestamp'),
  };
}

/** The ids of the keys that have signed, valid or not. */
export function signersOf(role: Role, text: string): string[] {
  return Object.keys(read(role, text).signatures);
}

function read(role: Role, text: string): Metadata<Any> {
  try {
    // The overloads want one kind each, where we have any of them.
    const parse = Metadata.fromJSON as (kind: MetadataKind, data: unknown) => Metadata<Any>;
    return parse.call(Metadata, KINDS[role], JSON.parse(text));
  } catch (cause) {
    throw new InputError('bad_metadata', `this is no ${role}.json: ${(cause as Error).message}`, { cause });
  }
}

const KINDS = {
  root: MetadataKind.Root,
  targets: MetadataKind.Targets,
  snapshot: MetadataKind.Snapshot,
  timestamp: MetadataKind.Timestamp,
} as const;

/** TUF 4.2.1 knows no fractions of a second. */
const stamped = ({ version, expires }: About) => ({
  specVersion: SPECIFICATION,
  version,
  expires: expires.toISOString().replace(/\.\d+Z$/, 'Z'),
});

const tufKey = (key: KeyObject) => ({
  keytype: 'ed25519',
  scheme: 'ed25519',
  keyval: { public: publicHex(key) },
});

const textOf = (metadata: Metadata<Any>) => JSON.stringify(metadata.toJSON());

/** Without what JSON does not keep, so that what is signed is what is read. */
const json = (value: object) => JSON.parse(JSON.stringify(value));
