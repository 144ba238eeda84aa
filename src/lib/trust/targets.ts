import { createHash, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { InputError } from '../errors.ts';
import { type PackageManifest, packageManifest } from '../manifest.ts';
import { schemas } from '../messages.ts';
import { keyId, publicFromHex, publicHalf, publicHex } from './keys.ts';
import type { Target } from './metadata.ts';

/**
 * What this fleet signs as targets, and how it is read again:
 *
 *     mega-1.1.0.tar.gz, node-24.21.0-linux-x64.tar.gz    packages; custom: their manifest
 *     orders/<key id>.pub                                 whose orders hosts obey; custom: { public }
 *     policy.json                                         custom: { minimum }: no release below it, by anybody's order
 */
const orderKey = z.object({ public: z.string() });
const policy = z.object({ minimum: schemas.version });

const ORDER_KEYS = 'orders/';
const POLICY = 'policy.json';

export function packageTarget(manifest: PackageManifest, sha256: string, size: number): Target {
  return { path: packagePath(manifest), length: size, sha256, custom: manifest };
}

/** `mega-1.1.0.tar.gz`, `node-24.21.0-linux-x64.tar.gz`. */
export function packagePath(about: PackageManifest): string {
  if (about.name === 'mega') return releasePath(about.version);
  return runtimePath(`${about.runtime}-${about.platform}`);
}

export const releasePath = (version: string) => `mega-${version}.tar.gz`;
/** By the runtime's name with its platform. */
export const runtimePath = (name: string) => `${name}.tar.gz`;

/** A signed package of this path; undefined where none is signed. */
export function packageIn(targets: Target[], path: string) {
  const found = targets.find((one) => one.path === path);
  const manifest = packageManifest.safeParse(found?.custom);
  if (!found || !manifest.success || packagePath(manifest.data) !== path) return undefined;
  return { sha256: found.sha256, size: found.length, manifest: manifest.data };
}

/** A package's name (`1.1.0`, `node-24.21.0-linux-x64`); undefined of what is no package. */
export function packageNamed({ path }: Target): string | undefined {
  return /^(?:mega-)?(.+)\.tar\.gz$/.exec(path)?.[1];
}

export function orderKeyTarget(key: KeyObject): Target {
  return { ...fileOf(`${ORDER_KEYS}${keyId(key)}.pub`, publicHex(key)), custom: { public: publicHex(key) } };
}

export const isOrderKey = ({ path }: Target): boolean => path.startsWith(ORDER_KEYS);

/** Whose orders are obeyed, by key id. */
export function orderKeysIn(targets: Target[]): Map<string, KeyObject> {
  const keys = targets
    .filter(isOrderKey)
    .map(({ custom }) => publicHalf(publicFromHex(orderKey.parse(custom).public)));
  return new Map(keys.map((key) => [keyId(key), key]));
}

export function policyTarget(minimum: string): Target {
  return { ...fileOf(POLICY, JSON.stringify({ minimum })), custom: { minimum } };
}

/** The version below which nobody may go. */
export function minimumIn(targets: Target[]): string | undefined {
  const found = targets.find(({ path }) => path === POLICY);
  if (!found) return undefined;
  const read = policy.safeParse(found.custom);
  if (!read.success) throw new InputError('bad_metadata', `the signed ${POLICY} is not understood`);
  return read.data.minimum;
}

function fileOf(path: string, content: string) {
  return { path, length: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}
