import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../dev/world/until.ts';
import { launchKeeper } from '../../src/agent/keeper/launch.ts';
import { RunFolder } from '../../src/agent/keeper/run-folder.ts';
import { packInstaller } from '../../src/cli/package/installer.ts';
import { platform } from '../../src/lib/utils.ts';
import { kill, type Shell } from './loader.ts';
import { zipped } from './tarball.ts';

export const root = join(import.meta.dirname, '../..');
export const token = 'mega1.eyJ2IjoxfQ';

/** Stands for Node.js: runs what `agent.mjs` holds, which is sh here. */
const node = `#!/bin/sh
[ "$1" != --version ] || { echo v24.0.0; exit; }
. "$1"
`;

/**
 * Plays a release: joins with any token but two, and counts how often; says that it was greeted, unless a file
 * `unheard` lies in its state.
 */
const agent = `home=$4 state=$4/state
case $2 in
  join)
    read -r token || :
    case $token in
      *REFUSED) echo 'mega agent: the token is used up' >&2; exit 2 ;;
      *AWAY) echo 'mega agent: the broker cannot be reached' >&2; exit 3 ;;
    esac
    keep() { (umask "$1" && echo "$3" >>"$2") || exit 1; }
    keep 022 "$state/joined" "$token \${6:-}"
    keep 077 "$home/etc/agent.json" '{}'
    keep 022 "$home/etc/root.json" '{}'
    keep 077 "$state/identity.json" "{\\"host\\":\\"\${6:-db-01}\\"}" ;;
  run)
    trap 'exit 0' TERM
    rm -f "$state/greeted"
    [ -e "$state/unheard" ] || echo $$ >"$state/greeted"
    n=0
    while :; do n=$((n + 1)); printf '%010d\\n' "$n" 1<>"$state/alive"; sleep 0.2 & wait $!; done ;;
esac
`;

/** Makes an installer that needs no space: its release and its Node.js are scripts. */
export async function fakeInstaller(folder: string, version = '1.0.0', program = node): Promise<string> {
  const here = platform();
  const loader = fs.readFileSync(join(root, 'src/agent/loader.sh'));
  const about = { format: 1, name: 'mega', version, platforms: [here], runtime: 'node-24.0.0', builtAt: '' };
  const runtime = { format: 1, name: 'runtime', runtime: 'node-24.0.0', platform: here, builtAt: '' };
  const [release, node24] = [join(folder, 'release.tar.gz'), join(folder, 'runtime.tar.gz')];
  const files = [
    { path: 'agent.mjs', body: agent },
    { path: 'lib/package.json', body: '{}' },
    { path: 'loader.sh', body: loader },
    { path: 'manifest.json', body: JSON.stringify(about) },
  ];
  fs.writeFileSync(release, zipped(files));
  const programs = [
    { path: 'bin/node', body: program, mode: 0o755 },
    { path: 'manifest.json', body: JSON.stringify(runtime) },
  ];
  fs.writeFileSync(node24, zipped(programs));
  return packInstaller(release, node24, folder);
}

export type Outcome = { code: number | null; output: string };

export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream!.on('data', (bytes) => {
      output += bytes;
    });
  await once(child, 'close');
  return { code: child.exitCode, output };
}

/** A machine to install on: a folder with the folders that every machine has. Disposing ends all that runs there. */
export class Machine implements AsyncDisposable {
  readonly shell: Shell['command'];
  readonly folder: string;
  readonly root: string;
  /** Comes before all else on the PATH. */
  readonly tools: string;
  #usual: string[];

  constructor(shell: Shell['command'] = ['sh'], { systemd = true } = {}) {
    this.shell = shell;
    this.folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'mega install '));
    fs.chmodSync(this.folder, 0o755);
    this.root = join(this.folder, 'a machine');
    this.tools = join(this.folder, 'tools');
    this.#usual = ['etc/init.d', 'etc/systemd/system', 'home', 'var/log', 'tmp'];
    if (systemd) this.#usual.push('run/systemd/system');
    this.clear();
    fs.mkdirSync(this.tools);
  }

  /** As new. */
  clear(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
    for (const name of this.#usual) fs.mkdirSync(this.at(name), { recursive: true });
  }

  at(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  home(...parts: string[]): string {
    return this.at('home/xdba/mega_client', ...parts);
  }

  read(path: string): string {
    return fs.readFileSync(this.home(path), 'utf8');
  }

  /** Runs the installer as the line of a token does; `input` is the token. */
  install(installer: string, args: string[] = [], input = token): Promise<Outcome> {
    return this.run([installer, '--root', this.root, '--wait', '20', ...args], input);
  }

  run(words: string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const [command, ...args] = [...this.shell, ...words];
    const PATH = `${this.tools}:${process.env.PATH}`;
    const child = spawn(command!, args, { env: { PATH, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined); // it may end without having read
    child.stdin.end(input);
    return outcomeOf(child);
  }

  loader(...words: string[]): Promise<Outcome> {
    return this.run([this.home('bin/mega_client'), ...words]);
  }

  /** All that is there: kind, mode, owner, name and where a link leads; with `exact` also when it was changed. */
  list({ from = this.root, exact = false, owner = true } = {}): string[] {
    return walk(from)
      .sort()
      .map((path) => {
        const about = fs.lstatSync(path);
        const link = about.isSymbolicLink();
        const kind = link ? 'l' : about.isDirectory() ? 'd' : 'f';
        const mode = link ? '' : (about.mode & 0o7777).toString(8);
        const to = link ? ` -> ${fs.readlinkSync(path)}` : '';
        const when = exact ? ` ${about.ino} ${about.mtimeMs}` : '';
        return `${kind} ${mode}${owner ? ` ${about.uid}` : ''} ${path.slice(from.length + 1)}${to}${when}`;
      });
  }

  processes(): number[] {
    return fs
      .readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid && isOf(pid, this.folder));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let i = 0; this.processes().length > 0; i++) {
      if (i > 200) throw new Error(`processes of ${this.folder} do not end`);
      for (const pid of this.processes()) kill(pid);
      await sleep(20);
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Links are not followed, as `readdir` would, recursive as it is. */
function walk(folder: string): string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...walk(path)] : [path];
  });
}

function isOf(pid: number, folder: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
  } catch {
    return false;
  }
}

/** A script that runs there, without an agent; its pid. */
export async function keptScript(machine: Machine): Promise<number> {
  const folder = new RunFolder(machine.home('state/scripts/x'));
  const work = machine.home('work/x');
  fs.mkdirSync(work, { recursive: true });
  const pid = join(machine.folder, 'pid');
  const command = ['sh', '-c', 'echo $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 100', 'sh', pid];
  const times = { timeoutMs: 100_000, graceMs: 100, headBytes: 1, segmentBytes: 1 };
  folder.prepare({ task: machine.folder, command, env: {}, work, user: undefined, ...times }, undefined);
  launchKeeper(folder);
  await until('the script to run', () => fs.existsSync(pid), { pollMs: 20 });
  return Number(fs.readFileSync(pid, 'utf8'));
}
