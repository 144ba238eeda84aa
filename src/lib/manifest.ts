import { z } from 'zod';
import { schemas } from './messages.ts';

const { version, runtime, platform } = schemas;

/** `manifest.json` in a package that is a release. */
export const manifest = z.object({
  format: z.literal(1),
  name: z.literal('mega'),
  version,
  platforms: z.array(z.string()).min(1),
  /** The Node.js that this release runs on, whatever the platform. */
  runtime,
  builtAt: z.string(),
});
export type Manifest = z.infer<typeof manifest>;

/** `manifest.json` in a package that is the runtime of one platform. */
export const runtimeManifest = z.object({
  format: z.literal(1),
  name: z.literal('runtime'),
  runtime,
  platform,
  builtAt: z.string(),
});
export type RuntimeManifest = z.infer<typeof runtimeManifest>;

export const packageManifest = z.discriminatedUnion('name', [manifest, runtimeManifest], {
  error: 'neither the manifest of a release nor of a runtime',
});
export type PackageManifest = z.infer<typeof packageManifest>;
