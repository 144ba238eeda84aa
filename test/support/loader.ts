import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const loaderSource = join(import.meta.dirname, '../../src/agent/loader.sh');

/** The shells a host may have as /bin/sh; `command` starts a script in it as sh would. */
export const shells = [
  { name: 'dash', command: ['dash'] },
  { name: 'bash', command: ['bash', '--posix'] },
  { name: 'busybox sh', command: ['busybox', 'sh'] },
].map((shell) => ({ ...shell, missing: !runs([...shell.command, '-c', 'exit 0']) }));
export type Shell = (typeof shells)[number];

function runs([command, ...args]: string[]): boolean {
  return spawnSync(command!, args).status === 0;
}

const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
const applets = 'cat dd ln mkdir mv readlink rm setsid sh sleep tr'.split(' ');

/**
 * Stands for Node.js: a script that says it was started and then does what `agent.mjs` of
 * its release holds (sh, not JavaScript). An agent broken in a given way is so a line of sh.
 */
const fakeNode = `#!/bin/sh
[ "$2" = run ] || { echo "$@"; exit 0; }
release=$(readlink -f "$1"); release=\${release%/*}; release=\${release##*/}
home=$4 state=$4/state n=0
note() { echo "$* $$ $PPID $(/usr/bin/date +%s%N)" >>"$home/agent.log"; }
beat() { n=$((n + 1)); printf '%010d\\n' "$n" 1<>"$state/alive"; }
nap() { sleep "$1" & wait $!; }
beat_on() { while :; do beat; nap 0.3; done; }
trap 'note TERM "$release"; exit 0' TERM
trap 'note HUP "$release"' HUP
note start "$release"
. "$1"
`;

export const healthy = 'beat; nap 0.3; rm -f "$state/trial"; beat_on';

export interface Trial {
  from?: string;
  to?: string;
  starts?: number;
  ticks?: number;
  still?: number;
}

export interface AgentNote {
  what: string;
  release: string;
  pid: number;
  parent: number;
  atMs: number;
}

/** A home of a host, with the loader under one shell; disposing ends all its processes. */
export class LoaderHome implements AsyncDisposable {
  readonly shell: Shell;
  readonly path: string;
  readonly loader: string;
  output = '';
  private readonly mounts: string[] = [];

  constructor(shell: Shell) {
    this.shell = shell;
    this.path = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'mega loader '));
    this.loader = this.at('bin/mega_client');
    for (const folder of ['bin', 'state', 'etc', 'tools']) fs.mkdirSync(this.at(folder));
    fs.copyFileSync(loaderSource, this.loader);
    fs.chmodSync(this.loader, 0o755);
    // Under busybox its own ln, mv, dd ... are meant, not those of coreutils.
    if (shell.command[0] === 'busybox')
      for (const applet of applets) fs.symlinkSync(busybox, this.at(`tools/${applet}`));
    this.release('1.0.0', 'beat_on');
    this.point('current', '1.0.0');
    this.point('previous', '1.0.0');
  }

  at(path: string): string {
    return join(this.path, path);
  }

  release(version: string, behaviour: string): void {
    fs.mkdirSync(this.at(`runtimes/${version}/bin`), { recursive: true });
    fs.mkdirSync(this.at(`releases/${version}`), { recursive: true });
    fs.writeFileSync(this.at(`runtimes/${version}/bin/node`), fakeNode, { mode: 0o755 });
    fs.writeFileSync(this.at(`releases/${version}/agent.mjs`), `${behaviour}\n`);
    fs.symlinkSync(`../../runtimes/${version}`, this.at(`releases/${version}/runtime`));
  }

  point(name: string, version: string): void {
    fs.rmSync(this.at(name), { force: true });
    fs.symlinkSync(`releases/${version}`, this.at(name));
  }

  /** What the old agent does: open the trial, swap. 2.0.0 behaves as said. */
  upgraded(behaviour: string, trial: Trial = {}): void {
    this.release('2.0.0', behaviour);
    this.write('trial.count', '0000 00000000\n');
    this.write('trial', trialLine(trial));
    this.point('current', '2.0.0');
  }

  write(name: string, text: string): void {
    fs.writeFileSync(this.at(`state/${name}`), text);
  }

  read(name: string): string | undefined {
    try {
      return fs.readFileSync(this.at(`state/${name}`), 'utf8');
    } catch {
      return undefined;
    }
  }

  current(): string {
    return fs.readlinkSync(this.at('current')).replace('releases/', '');
  }

  /** Starts `mega_client run`; `env.VICTIM` is its own pid, for tools that kill it; `env.REDIRECT` is sh. */
  run(env: NodeJS.ProcessEnv = {}): ChildProcess {
    const script = `VICTIM=$$; export VICTIM; exec "$@" ${env.REDIRECT ?? ''}`;
    const child = spawn('sh', ['-c', script, 'sh', ...this.shell.command, this.loader, 'run'], {
      env: this.env(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes) => {
        this.output += bytes;
      });
    return child;
  }

  /** Runs another command of mega_client to its end. */
  async command(...args: string[]): Promise<{ code: number | null; output: string }> {
    const [command, ...rest] = [...this.shell.command, this.loader, ...args];
    const child = spawn(command!, rest, { env: this.env(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes) => {
        output += bytes;
      });
    await ended(child);
    return { code: child.exitCode, output };
  }

  private env(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${this.at('tools')}:${process.env.PATH}`, ...more };
  }

  notes(what: string): AgentNote[] {
    if (!fs.existsSync(this.at('agent.log'))) return [];
    return fs
      .readFileSync(this.at('agent.log'), 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter((fields) => fields.length === 5 && fields[0] === what)
      .map(([, release, pid, parent, ns]) => ({
        what,
        release: release!,
        pid: Number(pid),
        parent: Number(parent),
        atMs: Number(BigInt(ns!) / 1000n) / 1000,
      }));
  }

  /** The releases in the order in which they were started. */
  starts(): string[] {
    return this.notes('start').map((note) => note.release);
  }

  /** Waits until `condition` holds; tells the loader's own words when it does not. */
  async until(what: string, condition: () => boolean, timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > deadline)
        throw new Error(`${this.shell.name}: not within ${timeoutMs} ms: ${what}\n${this.story()}`);
      await sleep(30);
    }
  }

  /** What the loader writes reaches us a little after what it does. */
  async says(pattern: RegExp): Promise<void> {
    await this.until(`says ${pattern}`, () => pattern.test(this.output));
  }

  story(): string {
    return `${this.output}\nstarts ${this.starts()}\ntrial ${this.read('trial')} failed ${this.read('trial.failed')}`;
  }

  /** Mounts a file system of 64 KB over state/, with what state/ holds; false if one may not. */
  mountState(): boolean {
    const state = this.at('state');
    const held = fs.readdirSync(state).map((name) => [name, fs.readFileSync(join(state, name))] as const);
    if (process.getuid?.() !== 0 || !runs(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', state]))
      return false;
    this.mounts.push(state);
    for (const [name, bytes] of held) fs.writeFileSync(join(state, name), bytes);
    return true;
  }

  /** Pids of all that runs in or for this home. */
  processes(): number[] {
    return fs
      .readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid)
      .filter((pid) => {
        try {
          return (
            fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.path) ||
            fs.readlinkSync(`/proc/${pid}/cwd`) === this.path
          );
        } catch {
          return false;
        }
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.processes()) kill(pid);
    await this.until('all processes gone', () => {
      for (const pid of this.processes()) kill(pid);
      return this.processes().length === 0;
    });
    for (const mount of this.mounts) spawnSync('umount', ['-l', mount]);
    fs.rmSync(this.path, { recursive: true, force: true });
  }
}

export function trialLine({
  from = '1.0.0',
  to = '2.0.0',
  starts = 2,
  ticks = 60,
  still = 30,
}: Trial): string {
  return `1 0198c0de-0000-7000-8000-000000000001 ${from} ${to} ${starts} ${ticks} ${still} end\n`;
}

/** Waits for its exit ('exit'), or until its output is closed too, which a child of it may hold open. */
export async function ended(child: ChildProcess, how: 'exit' | 'close' = 'close'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once(how, resolve));
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone by itself
  }
}

export function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
