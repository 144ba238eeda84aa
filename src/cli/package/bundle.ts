import { dirname } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { describe, MegaError } from '../../lib/errors.ts';

/** Bundled CommonJS asks for these, which a module does not have. */
export const BANNER = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;
`;

/** zod brings its messages in fifty languages, a quarter of the bundle; all that we say is English. */
const ENGLISH_ALONE: Plugin = {
  name: 'english-alone',
  setup: (building) =>
    building.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path }) => {
      return {
        contents: "export { default as en } from './en.js';",
        loader: 'js',
        resolveDir: dirname(path),
      };
    }),
};

export const COMMON = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'silent',
  plugins: [ENGLISH_ALONE] as Plugin[],
} as const satisfies BuildOptions;

/** Errors: `build_failed`, with esbuild's own words. */
export async function bundle(options: BuildOptions): Promise<void> {
  try {
    await build(options);
  } catch (cause) {
    throw new MegaError(
      'build_failed',
      `the sources cannot be bundled: ${describe(cause).split('\n').slice(0, 3).join(' ')}`,
    );
  }
}
