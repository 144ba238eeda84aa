import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../lib/errors.ts';
import { manifest } from '../../lib/manifest.ts';
import { check, schemas } from '../../lib/messages.ts';
import { VERSION } from '../../lib/utils.ts';
import { projectRoot } from '../root.ts';
import { BANNER, bundle, COMMON } from './bundle.ts';
import { packScripts, packTasks } from './own.ts';
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
  /** A team's own: a folder of tasks, see docs/tasks.md, and one of scripts. */
  tasks?: string;
  scripts?: string;
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
    await bundleOwn(options, sources, folder);
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

async function bundleAgent({ root, folder, suffix }: Sources, out: string, prologue: string): Promise<void> {
  const main = (...at: string[]) => join(folder, 'agent', ...at, `main${suffix}`);
  const common = { ...COMMON, absWorkingDir: root }; // paths in comments are told from there, wherever the project is
  await bundle({
    ...common,
    entryPoints: [main()],
    outfile: join(out, 'agent.mjs'),
    banner: { js: prologue ? `${BANNER}${prologue}\n` : BANNER },
  });
  await bundle({ ...common, entryPoints: [main('keeper')], outfile: join(out, 'keeper.mjs') });
}

async function bundleOwn(
  { tasks, scripts }: PackageOptions,
  { folder, suffix }: Sources,
  out: string,
): Promise<void> {
  const libraries = { folder: join(folder, 'lib'), suffix, names: LIBRARIES };
  if (tasks !== undefined) await packTasks(tasks, out, libraries);
  if (scripts !== undefined) packScripts(scripts, out);
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
