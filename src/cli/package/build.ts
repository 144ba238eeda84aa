import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { describe, InputError, MegaError } from '../../lib/errors.ts';
import { manifest } from '../../lib/manifest.ts';
import { check, schemas } from '../../lib/messages.ts';
import { VERSION } from '../../lib/utils.ts';
import { projectRoot } from '../root.ts';
import { packInto, writeJson } from './pack.ts';

export type PackageOptions = {
  version: string;
  /** The folder that gets `mega-<version>.tar.gz`. */
  out: string;
  /** JavaScript put at the top of agent.mjs, to make a release that is broken in a chosen way. */
  prologue?: string;
  platforms?: string[];
  /** The Node.js that it runs on, such as `node-24.21.0`; default: the pinned one. */
  runtime?: string;
  /** The project to build; default: the one this file is part of. */
  root?: string;
};

const PLATFORMS = ['linux-x64', 'linux-arm64'];
const PINNED = `node-${process.versions.node}`;
/** What scripts on a host may import as `mega-fleet/<name>`. */
const LIBRARIES = ['conn', 'mail', 'logs', 'sender', 'utils'];

/**
 * Builds a package and returns its path. The same sources and version give the same bytes, wherever and whenever
 * they are built, so a package can be checked by building it again.
 */
export async function buildPackage(options: PackageOptions): Promise<string> {
  const { version, prologue = '', platforms = PLATFORMS, runtime = PINNED, root = projectRoot() } = options;
  if (!VERSION.test(version))
    throw new InputError('bad_argument', `"${version}" is no version such as 1.1.0`);
  if (!schemas.runtime.safeParse(runtime).success)
    throw new InputError('bad_argument', `"${runtime}" is no runtime such as ${PINNED}`);
  const sources = sourcesOf(root);
  const folder = mkdtempSync(join(tmpdir(), 'mega-build-'));
  try {
    await bundleAgent(sources, folder, prologue);
    const libraries = await bundleLibraries(sources, join(folder, 'lib'));
    writeJson(join(folder, 'lib', 'package.json'), libraryPackage(version, libraries));
    copyFileSync(join(sources.folder, 'agent', 'loader.sh'), join(folder, 'loader.sh'));
    const about = { format: 1, name: 'mega', version, platforms, runtime, builtAt: timeOfSources(root) };
    writeJson(join(folder, 'manifest.json'), check(manifest, about));
    return await packInto(folder, options.out, `mega-${version}.tar.gz`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Sources = { root: string; folder: string; suffix: string };

/** The TypeScript of a checkout, or the JavaScript of an installed project, which has no other. */
function sourcesOf(root: string): Sources {
  const forms = [
    { root, folder: join(root, 'src'), suffix: '.ts' },
    { root, folder: join(root, 'dist', 'js'), suffix: '.js' },
  ];
  const found = forms.find(({ folder, suffix }) => existsSync(join(folder, 'agent', `main${suffix}`)));
  if (!found) throw new InputError('bad_argument', `no sources of an agent in ${root}`);
  return found;
}

/** Bundled CommonJS asks for these, which a module does not have. */
const BANNER = `import { createRequire as __createRequire } from 'node:module';
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

const COMMON = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'silent',
  plugins: [ENGLISH_ALONE] as Plugin[],
} as const satisfies BuildOptions;

async function bundleAgent({ root, folder, suffix }: Sources, out: string, prologue: string): Promise<void> {
  await bundle({
    ...COMMON,
    absWorkingDir: root, // paths in comments are told from here, so the place of the project does not matter
    entryPoints: [join(folder, 'agent', `main${suffix}`)],
    outfile: join(out, 'agent.mjs'),
    banner: { js: prologue ? `${BANNER}${prologue}\n` : BANNER },
  });
}

/** Returns which of them there are. */
async function bundleLibraries({ root, folder, suffix }: Sources, out: string): Promise<string[]> {
  const at = (name: string) => join(folder, 'lib', 'public', name + suffix);
  const there = LIBRARIES.filter((name) => existsSync(at(name)));
  await bundle({
    ...COMMON,
    absWorkingDir: root,
    entryPoints: there.map((name) => ({ in: at(name), out: name })),
    outdir: out,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    chunkNames: 'shared-[hash]',
    banner: { js: BANNER },
  });
  return there;
}

async function bundle(options: BuildOptions): Promise<void> {
  try {
    await build(options);
  } catch (cause) {
    throw new MegaError(
      'build_failed',
      `the sources cannot be bundled: ${describe(cause).split('\n').slice(0, 3).join(' ')}`,
    );
  }
}

function libraryPackage(version: string, names: string[]): object {
  const exports = Object.fromEntries(names.map((name) => [`./${name}`, `./${name}.mjs`]));
  return { name: 'mega-fleet', version, type: 'module', exports };
}

/**
 * When the sources were last changed, never the time of the build: that would make every build differ. Without
 * a commit to ask there is no such time, and the epoch stands for it.
 */
function timeOfSources(root: string): string {
  const unknown = new Date(0).toISOString();
  if (!existsSync(join(root, '.git'))) return unknown;
  try {
    const command = ['-C', root, 'log', '-1', '--format=%ct'];
    const seconds = execFileSync('git', command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return new Date(Number(seconds) * 1000).toISOString();
  } catch {
    return unknown; // no git, or a repository without a commit
  }
}
